// The monitor page in a real browser, with a real service: the page shows what really happened.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { AxeResults } from 'axe-core';
import { LEVELS_IN_WORDS } from '../../src/protocol/names.js';
import type { Levels } from '../../src/protocol/service.js';
import { openPage } from '../support/browser.js';
import { assertClean, LEVELS, makeBurst, openLivePage, readRow, waitUntilLive, write } from '../support/live-page.js';
import { CC, confine } from '../support/outside.js';
import { openFifo, post, ROOT, read, startService } from '../support/service.js';
import { need } from '../support/tools.js';

test('after a write at each level, the answer, the row and the service’s stdout agree', async (t) => {
  const { reader, writer } = openFifo(t);
  const service = await startService(t, { stdout: writer });
  closeSync(writer);
  const opened = await openPage(t, service.url);
  if (!opened) return;
  const { page } = opened;
  await waitUntilLive(page);
  for (const [index, level] of LEVELS.entries()) {
    const msg = `Grüße from ${level}\n`;
    const bytes = Buffer.byteLength(msg);
    assert.match(
      await write(page, { level, target: 'stdout', msg }),
      new RegExp(`^${bytes} of ${bytes} bytes; record ${index + 1}, 1 call, `),
    );
    assert.deepEqual(await readRow(page, index + 1), {
      level,
      target: 'stdout',
      asked: `${bytes}`,
      result: `${bytes}`,
      message: `Grüße from ${level}␊`,
    });
    assert.equal(String(await read(reader, bytes)), msg);
  }
  await write(page, { level: 'raw', target: 'stdout', msg: '00 ff 0A', as: 'hex' });
  assert.deepEqual(await read(reader, 3), Buffer.from([0, 0xff, 10]));
  assertClean(opened);
});

test('the answer and the row show the errno of a fault target; invalid hex makes no call', async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  let seq = 0;
  for (const [target, code, says] of [
    ['full', 'ENOSPC', 'ENOSPC (28): No space left on device'],
    ['closed', 'EBADF', 'EBADF (9): Bad file descriptor'],
    ['broken-pipe', 'EPIPE', 'EPIPE (32): Broken pipe'],
  ] as const) {
    const answer = await write(page, { level: 'os', target, msg: 'no' });
    seq += 1;
    assert.ok(answer.startsWith(`${says}. 0 of 2 bytes; record ${seq}, `), answer);
    assert.equal((await readRow(page, seq)).result, code);
  }
  await page.fill('#write textarea', '0x');
  await page.check('#write [value=hex]');
  await page.click('#write button:has-text("Write")');
  await page.locator('#answer:has-text("The message is not hex")').waitFor();
  assert.equal((await service.records()).length, seq);
  assertClean(opened);
});

test('Compare draws each level and lists its figures, and can be stopped', async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  await page.click('#compare');
  assert.equal(await page.inputValue('#compare-target'), 'null', 'Compare does not write to stdout unless asked to');
  assert.equal(await page.inputValue('#write-target'), 'stdout');
  await page.fill('[name=count]', '2000');
  await page.click('#compare-start');
  await page.locator(`#compare-status:text-is("Done: 2,000 calls at each of ${LEVELS.length} levels.")`).waitFor();
  assert.deepEqual(await page.locator('#compare-rows th').allInnerTexts(), LEVELS);
  for (const row of await page.locator('#compare-rows tr').allInnerTexts())
    assert.match(row, /^\w+\t([\d.]+ [nµm]s\t){3}\s*[\d,]+\tnone$/);
  const widths = (await page.evaluate(
    `[...document.querySelectorAll('#compare-rows .bar')].map((bar) => bar.getBoundingClientRect().width)`,
  )) as number[];
  assert.ok(Math.max(...widths) > 100 && Math.min(...widths) > 0);
  const colours = await page.evaluate(`(() => {
    const canvas = document.querySelector('#distribution canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(data.slice(i, i + 3).join());
    return [...seen];
  })()`);
  for (const level of LEVELS) {
    const colour = (await page.evaluate(
      `getComputedStyle(document.querySelector('#compare-rows .level.${level}')).color`,
    )) as string;
    assert.ok((colours as string[]).includes(colour.match(/\d+/g)?.slice(0, 3).join() ?? ''), `${level} is drawn`);
  }
  assert.equal((await service.records()).length, Math.min(10_000, 2000 * LEVELS.length));
  await page.fill('[name=count]', '1000000');
  await page.click('#compare-start');
  await page.click('#compare-stop');
  await page.locator('#compare-status:text-is("Stopped.")').waitFor();
  while ((await post(`${service.url}/bursts`, { level: 'raw', msg: '', target: 'null', count: 1 })).status === 503);
  assertClean(opened);
});

test('Anatomy shows each level’s road, registers and machine code; an unavailable level is greyed, with its reason', async (t) => {
  if (!need(t, CC)) return;
  const launcher = confine(t);
  const service = await startService(t, {
    wrap: (command) => [launcher, `uring=${constants.errno.EPERM}`, ...command],
  });
  const opened = await openPage(t, service.url);
  if (!opened) return;
  const { page } = opened;
  await waitUntilLive(page);
  await page.click('#anatomy');
  const { levels: reported } = (await (await fetch(`${service.url}/levels`)).json()) as {
    levels: Levels['levels'];
  };
  assert.equal(reported.find(({ id }) => id === 'uring')?.available, false);
  for (const { id, available, reason, code, registers } of reported) {
    const article = page.locator(`article[aria-label=${id}]`);
    assert.match(await article.locator('.road').innerText(), /^JavaScript\n.*kernel\n/s);
    assert.equal((await article.getAttribute('class'))?.includes('unavailable') ?? false, !available);
    assert.equal(await page.locator(`#write-level option[value=${id}]`).isDisabled(), !available);
    assert.ok((await article.innerText()).includes(LEVELS_IN_WORDS[id].is));
    if (reason !== null) assert.ok((await article.innerText()).includes(reason));
    const shown = (await article.locator('tr').allInnerTexts()).map((row) => row.split('\t'));
    const expected = registers?.arguments.map((register, index) => [register, registers.meanings[index]]) ?? [];
    assert.deepEqual(shown.slice(1, 1 + expected.length), expected, id);
    if (code !== null)
      assert.ok((await article.locator('pre').innerText()).replaceAll(' ', '').startsWith(code.slice(0, 40)));
  }
});

test('the keyboard alone reaches the views, the table, a record and the write form', async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  await makeBurst(service, 50);
  await page.locator('#counts:text-is("50 rows of 50 records")').waitFor();
  const { keyboard } = page;
  const focused = (): Promise<string> =>
    page.evaluate(
      'document.activeElement.id || document.activeElement.name || document.activeElement.textContent',
    ) as Promise<string>;
  const tabTo = async (id: string): Promise<void> => {
    for (let presses = 0; (await focused()) !== id; presses++) {
      assert.ok(presses < 40, `Tab does not reach ${id}`);
      await keyboard.press('Tab');
    }
  };
  await tabTo('calls');
  for (const tab of ['compare', 'anatomy', 'calls']) {
    await keyboard.press('ArrowRight');
    assert.equal(await focused(), tab);
    assert.equal(await page.isVisible(`#${tab}-panel`), true);
  }
  await tabTo('grid');
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp', 'Enter']) await keyboard.press(key);
  assert.match(await page.innerText('#record'), /seq\s+49\n/);
  const active = await page.getAttribute('#grid', 'aria-activedescendant');
  assert.equal(await page.locator(`#${active} .seq`).innerText(), '49');
  await keyboard.press('Escape');
  assert.equal(await page.isVisible('#record'), false);
  await keyboard.press('Home');
  await tabTo('msg');
  await keyboard.press('Control+A');
  await keyboard.type('typed');
  await tabTo('Write');
  await keyboard.press('Enter');
  await page.locator('#answer:has-text("5 of 5 bytes")').waitFor();
  await page.locator('#rows .message:text-is("typed")').waitFor();
});

test('the curl command sends the same request as the form', async (t) => {
  const opened = await openLivePage(t);
  if (!opened) return;
  const { page, service } = opened;
  assert.match(
    (await page.textContent('#curl')) ?? '',
    /"level":"raw","target":"stdout"/,
    'the command is there before anything is typed',
  );
  await write(page, { level: 'raw', target: 'null', msg: `it's "$HOME" \\ \n` });
  await page.click('summary:has-text("curl")');
  const line = await page.innerText('#curl');
  assert.ok(line.startsWith(`curl -s ${service.url}/write -H 'content-type: application/json' -d '`));
  const body = execFileSync('sh', ['-c', line.replace(/^curl .* -d /, 'printf %s ')], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(body), { level: 'raw', target: 'null', msg: `it's "$HOME" \\ \n` });
});

test('a service with a token shows the log-in form, refuses a wrong token, and opens the page for the right one until log-out', async (t) => {
  const token = 'a-token-for-this-test';
  const service = await startService(t, { args: ['--token', token] });
  const opened = await openPage(t, service.url);
  if (!opened) return;
  const { page } = opened;
  await page.fill('#token', 'a-token-that-is-wrong');
  await page.click('#login button');
  await page.locator('#login-problem:has-text("the token is wrong")').waitFor();
  await page.fill('#token', token);
  await page.click('#login button');
  await waitUntilLive(page);
  assert.equal(await page.evaluate('document.cookie'), '', 'no script can read the cookie');
  await write(page, { level: 'raw', target: 'full', msg: 'x' });
  await readRow(page, 1);
  await page.click('summary:has-text("curl")');
  assert.match(await page.innerText('#curl'), /-H "authorization: Bearer \$SYSWIRE_TOKEN"/);
  await page.reload();
  await waitUntilLive(page);
  await page.click('#logout');
  await page.locator('#login').waitFor();
  assert.equal(await page.isVisible('#page'), false);
});

const axe = readFileSync(path.join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds no violation in any view in the ${colorScheme} colour scheme`, async (t) => {
    const opened = await openLivePage(t, [], { colorScheme, bypassCSP: true });
    if (!opened) return;
    const { page, service } = opened;
    await makeBurst(service, 100, { target: 'full' });
    if (await page.isEnabled('#witness-every')) await page.check('#witness-every');
    await write(page, { level: 'std', target: 'full', msg: 'x' });
    await page.click('#rows .message');
    await page.addScriptTag({ content: axe });
    async function check(view: string): Promise<void> {
      const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n  ')}`);
      assert.deepEqual(found, [], view);
    }
    await check('calls');
    await page.click('#compare');
    await page.fill('[name=count]', '200');
    await page.selectOption('#compare-target', 'null');
    await page.click('#compare-start');
    await page.locator('#compare-status:has-text("Done")').waitFor();
    await check('compare');
    await page.click('#anatomy');
    await check('anatomy');
    await page.evaluate(
      `document.getElementById('login').hidden = false; document.getElementById('page').hidden = true`,
    );
    await check('login');
  });
}

test('no view is wider than a window of 360 pixels', async (t) => {
  const opened = await openLivePage(t, [], { viewport: { width: 360, height: 740 } });
  if (!opened) return;
  const { page, service } = opened;
  await makeBurst(service, 10);
  await page.click('#rows .message');
  // The plot is drawn in a wide window, which then becomes narrow, as when a phone is turned.
  await page.setViewportSize({ width: 900, height: 740 });
  await page.click('#compare');
  await page.selectOption('#compare-target', 'null');
  await page.fill('[name=count]', '100');
  await page.click('#compare-start');
  await page.locator('#compare-status:has-text("Done")').waitFor();
  await page.setViewportSize({ width: 360, height: 740 });
  for (const tab of ['#calls', '#compare', '#anatomy']) {
    await page.click(tab);
    assert.ok(((await page.evaluate('document.documentElement.scrollWidth')) as number) <= 360, tab);
  }
});
