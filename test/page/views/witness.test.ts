// The page's two switches for a witness, in a service that has one, that always has one, and that has none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { Levels } from '../../../src/protocol/service.js';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { assertClean, LEVELS, openLivePage, waitUntilLive, write } from '../../support/live-page.js';
import { CC, confine } from '../../support/outside.js';
import { need } from '../../support/tools.js';
import { compare, openPageOf, openRecord } from '../../support/witness-page.js';

const here = { skip: witnessAvailability().reason ?? false };

const standOf = (page: Page): Promise<unknown> =>
  page.evaluate(
    `['witness-every', 'write-witness'].map((id) => document.getElementById(id)).map((input) => [input.checked, input.disabled])`,
  );

test('the switch in the header is about all calls of the page, and outlives a reload', here, async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  assert.deepEqual(await standOf(page), [
    [false, false],
    [false, false],
  ]);
  await page.focus('#calls');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.id'), 'witness-every');
  await page.keyboard.press('Space');
  assert.deepEqual(await standOf(page), [
    [true, false],
    [true, true],
  ]);
  assert.match((await page.textContent('#curl')) ?? '', /"witness":true/);
  await write(page, { level: 'raw', target: 'null', msg: 'x' });
  await page.reload();
  await waitUntilLive(page);
  assert.deepEqual(await standOf(page), [
    [true, false],
    [true, true],
  ]);
  await compare(page, 100);
  const records = await service.records();
  assert.equal(records.length, 1 + 100 * LEVELS.length);
  assert.ok(records.every(({ verdict }) => verdict === 'agrees'));
  for (const level of LEVELS) {
    const cells = await page
      .locator('#compare-rows tr', { has: page.locator(`.level.${level}`) })
      .locator('td')
      .allInnerTexts();
    assert.deepEqual(cells.slice(4, 6), ['none', 'none'], level);
    assert.match(cells[6] ?? '', level === 'uring' ? /io_uring_enter × \d/ : /write × 1\d\d\b/, level);
  }
  assert.equal(
    await page
      .locator('#compare-results p.witnessed')
      .innerText()
      .then((text) => text.slice(0, 25)),
    'These calls had a witness',
  );

  await page.uncheck('#witness-every');
  assert.deepEqual(await standOf(page), [
    [false, false],
    [false, false],
  ]);
  assert.doesNotMatch((await page.textContent('#curl')) ?? '', /witness/);
  await compare(page, 100);
  assert.equal(await page.locator('#compare-panel .witnessed:visible').count(), 0);
  assert.equal((await service.records()).at(-1)?.verdict, undefined);
  await page.reload();
  await waitUntilLive(page);
  assert.deepEqual(await standOf(page), [
    [false, false],
    [false, false],
  ]);
  assertClean(opened);
});

test('the form’s own choice comes back when the header’s switch is off again', here, async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page } = opened;
  await page.check('#write-witness');
  await page.check('#witness-every');
  await page.uncheck('#witness-every');
  assert.deepEqual(await standOf(page), [
    [false, false],
    [true, false],
  ]);
});

test('a service with --witness: both switches are on, cannot be changed, and say why', here, async (t) => {
  const opened = await openPageOf(t, { args: ['--witness'] });
  if (!opened) return;
  const { page } = opened;
  assert.deepEqual(await standOf(page), [
    [true, true],
    [true, true],
  ]);
  const note = 'This service was started with --witness: it witnesses every call.';
  assert.equal(await page.innerText('#witness-note'), note);
  for (const id of ['witness-every', 'write-witness']) {
    assert.equal(await page.getAttribute(`#${id}`, 'aria-describedby'), 'witness-note');
    assert.equal(await page.getAttribute(`label:has(#${id})`, 'title'), note);
  }
  assert.match(await write(page, { level: 'raw', target: 'null', msg: 'x' }), /The witness: agrees\.$/);
});

test('without a witness, both switches are off and say why, and calls are made', here, async (t) => {
  if (!need(t, CC)) return;
  const launcher = confine(t);
  const opened = await openPageOf(t, { wrap: (command) => [launcher, 'dispatch=1', ...command] });
  if (!opened) return;
  const { page, service } = opened;
  // As left by an earlier service at this address.
  await page.evaluate(`localStorage.setItem('syswire.witness', 'every')`);
  await page.reload();
  await waitUntilLive(page);
  assert.deepEqual(await standOf(page), [
    [false, true],
    [false, true],
  ]);
  const { levels, witness } = (await (await fetch(`${service.url}/levels`)).json()) as Levels;
  assert.match(witness.reason ?? '', /EPERM/);
  assert.equal(await page.innerText('#witness-note'), `No witness here: ${witness.reason}.`);
  assert.equal(await page.getAttribute('label:has(#witness-every)', 'title'), `No witness here: ${witness.reason}.`);
  assert.match(
    await write(page, { level: 'raw', target: 'null', msg: 'x' }),
    /^1 of 1 bytes; record 1, 1 call, [\d.]+ .s\.$/,
  );
  await compare(page, 100);
  assert.equal(await page.locator('#compare-panel .witnessed:visible').count(), 0);
  await page.click('#anatomy');
  for (const { id, available } of levels) {
    const seen = await page.locator(`article[aria-label=${id}] .seen`).innerText();
    assert.equal(seen, available ? `Seen on this machine\n\nNot seen: ${witness.reason}.` : '');
  }
  assertClean(opened);
});

for (const width of [1440, 1024, 390, 360])
  test(`nothing is wider than a window of ${width} pixels, and the switches move nothing`, here, async (t) => {
    const opened = await openLivePage(t, [], { viewport: { width, height: 800 } });
    if (!opened) return;
    const { page } = opened;
    const top = (): Promise<unknown> =>
      page.evaluate(
        `['grid', 'answer'].map((id) => document.getElementById(id).getBoundingClientRect().top + scrollY)`,
      );
    const before = await top();
    await page.check('#witness-every');
    assert.deepEqual(await top(), before);
    const level = LEVELS.includes('uring') ? 'uring' : 'std';
    await write(page, { level, target: 'full', msg: 'x'.repeat(200) });
    await openRecord(page, 1);
    await compare(page, 100);
    for (const tab of ['#calls', '#compare', '#anatomy']) {
      await page.click(tab);
      assert.ok(((await page.evaluate('document.documentElement.scrollWidth')) as number) <= width, tab);
    }
  });
