// The page lists the system calls that a witness saw: under the answer, in the open record, and in Anatomy.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator } from 'playwright-core';
import type { Levels } from '../../../src/protocol/service.js';
import type { SystemCall } from '../../../src/protocol/system-call.js';
import { ownerOf, placeOf, printCall } from '../../../src/protocol/system-call-text.js';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { assertClean, LEVELS, makeBurst, openLivePage, write } from '../../support/live-page.js';
import { CC } from '../../support/outside.js';
import { ROOT, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';
import { compare, openPageOf, openRecord } from '../../support/witness-page.js';

const here = { skip: witnessAvailability().reason ?? false };

const OWNERS = { level: "the level's own", libuv: "libuv's", V8: "V8's", other: "not the level's own" };

/** The two lines of a system call on the page. */
function linesOf(call: SystemCall): string {
  const symbol = call.origin.symbol === null ? '' : `, ${call.origin.symbol}`;
  const place = `call ${call.number} of ${call.abi}, from ${placeOf(call.origin)}${symbol}`;
  return `${printCall(call)}\n${OWNERS[ownerOf(call)]}, ${place}`;
}

/** Asserts that a part of the page lists these system calls. */
async function assertListed(list: Locator, calls: SystemCall[]): Promise<void> {
  assert.deepEqual(await list.locator('.system-calls li').allInnerTexts(), calls.map(linesOf));
}

for (const level of LEVELS)
  test(`${level}: the answer and the record list the system calls, and the verdict`, here, async (t) => {
    const opened = await openLivePage(t);
    if (!opened) return;
    const { page, service } = opened;
    await page.check('#write-witness');
    assert.match((await page.textContent('#curl')) ?? '', /"target":"stdout",.*"witness":true\}'$/);
    for (const [index, target] of ['null', 'full'].entries()) {
      const answer = await write(page, { level, target, msg: 'hello\n' });
      assert.match(answer, target === 'null' ? /^6 of 6 bytes; .*\. The witness: agrees\.$/ : /^ENOSPC .*: agrees\.$/);
      const { systemCalls = [] } = (await service.records())[index] ?? {};
      assert.ok(systemCalls.some(({ origin }) => origin.isLevel));
      await assertListed(page.locator('#answer-calls'), systemCalls);
      const record = await openRecord(page, index + 1);
      await record.locator('h3:text-is("What the kernel was asked")').waitFor();
      await assertListed(record, systemCalls);
      assert.equal(await record.locator('.verdict.good').innerText(), '✓ The verdict: agrees');
      assert.deepEqual(
        await record.locator('dt').allInnerTexts(),
        'type seq time requestId level target fd requested written error durationNs pid'.split(' '),
      );
      assert.doesNotMatch(await record.innerText(), /object Object/);
    }
    await page.uncheck('#write-witness');
    await write(page, { level, target: 'null', msg: 'without' });
    assert.equal(await page.innerText('#answer-calls'), '');
    const record = await openRecord(page, 3);
    assert.doesNotMatch(await record.innerText(), /kernel|verdict|undefined/);
    assertClean(opened);
  });

test('a library that writes in libc’s place: answer, record and Compare say so', here, async (t) => {
  if (!need(t, CC)) return;
  const shim = path.join(tempFolder(t), 'shim.so');
  execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(ROOT, 'test/support/programs/shim.c')]);
  const opened = await openPageOf(t, { env: { LD_PRELOAD: shim } });
  if (!opened) return;
  const { page } = opened;
  await page.check('#witness-every');
  const answer = await write(page, { level: 'os', target: 'null', msg: 'hello' });
  const verdict = /write came from shim\.so\+0x[\da-f]+ \(write\), not from libc/;
  assert.match(answer, verdict);
  assert.match((await page.getAttribute('#answer', 'class')) ?? '', /bad/);
  const record = await openRecord(page, 1);
  assert.match(await record.locator('.verdict.bad').innerText(), new RegExp(`^✗ The verdict: ${verdict.source}`));
  const item = record.locator('li', { has: page.locator('[data-owner=other]') }).filter({ hasText: 'shim.so' });
  assert.match(
    await item.innerText(),
    /^write\(\d+, "hell", 4\) = 4\nnot the level's own, call 1 of x86-64, from shim\.so/,
  );
  assert.match((await item.locator('.place').getAttribute('title')) ?? '', /\/shim\.so$/);
  assert.match(await compare(page, 100), /^Done: .*\. The witness did not agree with 200 of them\.$/);
  for (const level of LEVELS) {
    const row = page.locator('#compare-rows tr', { has: page.locator(`th:text-is("${level}")`) });
    const expected = level === 'os' || level === 'std' ? /^100, first: write came from shim\.so/ : /^none$/;
    assert.match(await row.locator('td').nth(5).innerText(), expected, level);
  }
});

test('Anatomy lists what a witnessed call of each level did on this machine', here, async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  await page.click('#anatomy');
  const { levels } = (await (await fetch(`${service.url}/levels`)).json()) as Levels;
  for (const { id, witnessed } of levels) {
    const seen = page.locator(`article[aria-label=${id}] .seen`);
    assert.equal(witnessed !== null, LEVELS.includes(id));
    await assertListed(seen, witnessed?.systemCalls ?? []);
    if (witnessed) assert.equal(await seen.locator('.verdict.good').innerText(), '✓ The verdict: agrees');
  }
});

test('a message in a system call is text, and does not reorder the call', here, async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  page.on('dialog', () => assert.fail('the page opened a dialog'));
  const html = '<img src=x onerror="alert(1);hacked=1">';
  await page.check('#witness-every');
  for (const [index, [msg, shown]] of [
    [html, html.replaceAll('"', '\\"')],
    ['\u202egnp.exe', '\\u202egnp.exe'],
    ['a", 1) = 1\n', 'a\\", 1) = 1\\n'],
    ['שלום', 'שלום'],
  ].entries()) {
    await write(page, { level: 'raw', target: 'null', msg: msg as string });
    const [{ requested } = assert.fail()] = (await service.records()).slice(-1);
    const record = await openRecord(page, index + 1);
    const code = record.locator('li code', { hasText: 'write(' }).first();
    assert.match(await code.innerText(), /^write\(\d+, "/);
    assert.ok((await code.innerText()).endsWith(`"${shown}", ${requested}) = ${requested}`), shown);
    assert.equal(await code.locator('bdi').innerText(), shown);
  }
  // The last one is written from right to left. What follows it in the call must still be on its right.
  const [end, result] = (await page.evaluate(`(() => {
    const bytes = document.querySelector('#record li bdi');
    const range = document.createRange();
    range.setStart(bytes.nextSibling, bytes.nextSibling.length - 1);
    range.setEnd(bytes.nextSibling, bytes.nextSibling.length);
    return [bytes.getBoundingClientRect().right, range.getBoundingClientRect().left];
  })()`)) as [number, number];
  assert.ok(result > end, `${result} is not to the right of ${end}`);
  assert.equal(await page.evaluate('typeof hacked'), 'undefined');
  assert.equal(await page.locator('#page img, #page script').count(), 0);
  assertClean(opened);
});

test('the page keeps 50,000 system calls: a record whose list it no longer has says so', here, async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  await service.write({ level: 'raw', target: 'null', msg: 'first', witness: true });
  await makeBurst(service, 50_000, { witness: true });
  await page.locator('#counts:text-is("50,001 rows of 50,001 records")').waitFor({ timeout: 60_000 });
  const newest = await openRecord(page, 50_001);
  assert.ok((await newest.locator('.system-calls li').count()) > 0);
  await page.press('#grid', 'End');
  await page.locator('#rows [data-active] .message:text-is("first")').waitFor();
  await page.press('#grid', 'Enter');
  await page.locator('#record dl:has-text("seq1time")').waitFor();
  assert.match(await page.innerText('#record .missing'), /^The list of (1 call|\d+ calls) is no longer kept\.$/);
  assert.equal(await page.innerText('#record .verdict.good'), '✓ The verdict: agrees');
});

const MISSING: [what: string, fields: object, expected: string[]][] = [
  ['nothing', {}, []],
  ['calls beyond the limit', { dropped: 3 }, ['And 3 more, too many to list.']],
  ['a list that ended early', { complete: false }, ['Later calls were not seen: the list may have ended early.']],
  ['every call', { systemCalls: [], dropped: 2 }, ['The list of 2 calls is no longer kept.']],
  ['calls that were never made', { systemCalls: [] }, ['No system call was seen.']],
];
test('what is missing in a list is said in words', here, async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page } = opened;
  let fields = {};
  await page.route('**/write', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...((await response.json()) as object), ...fields } });
  });
  await page.check('#write-witness');
  for (const [what, changed, expected] of MISSING) {
    fields = changed;
    await write(page, { level: 'raw', target: 'null', msg: 'x' });
    assert.deepEqual(await page.locator('#answer-calls .missing').allInnerTexts(), expected, what);
  }
});
