// The ring of request ids: every id comes back as it was, whether it is kept as a number or as text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRequestIdRing } from '../../../src/server/records/request-ids.js';

const IDS = [
  ...['3fa9c1d2-1', '3fa9c1d2-42', '3fa9c1d2-999999999999999'],
  // These look like the service's own ids, and a number would lose a part of them.
  ...[
    '3fa9c1d2-0',
    '3fa9c1d2-01',
    '3fa9c1d2-',
    '3fa9c1d2',
    '3fa9c1d2-1x',
    '3fa9c1d2--1',
    '3fa9c1d2-1.0',
    '3fa9c1d2-1e3',
  ],
  ...['3fa9c1d2-9999999999999999', '3fa9c1d2-12345678901234567890', 'mine', '1', '_', 'a'.repeat(64)],
];

for (const id of IDS)
  test(`the id ${id} comes back`, () => {
    const ids = createRequestIdRing(2, '3fa9c1d2');
    ids.keep(1, id);
    assert.equal(ids.of(1), id);
  });

test('a slot has the id that was kept last', () => {
  const ids = createRequestIdRing(1, 'run');
  for (const id of ['run-1', 'mine', 'run-2', 'run-3', 'yours', 'run-4']) {
    ids.keep(0, id);
    assert.equal(ids.of(0), id);
  }
});
