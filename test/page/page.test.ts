// The monitor page in a real browser, beside the real service: what it shows is what happened.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { LEVEL_IDS } from '../../src/syscalls/contract.js';
import { levels } from '../../src/syscalls/levels.js';
import { type Opened, openPage } from '../browser.js';
import { openFifo, post, ROOT, read, type Service, startService } from '../service.js';
import { CC, confine } from '../syscalls/outside.js';
import { need } from '../tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const NULL = ['--target', 'null=/dev/null'];

/** The page, live, and the service behind it. */
async function live(t: TestContext, args: string[] = NULL, options: Parameters<typeof openPage>[2] = {}) {
  const service = await startService(t, { args });
  const opened = await openPage(t, service.url, options);
  if (!opened) return null;
  await isLive(opened.page);
  return { service, ...opened };
}

const isLive = (page: Page): Promise<void> => page.locator('#state[data-state=live]').waitFor();

async function burst({ url }: Service, count: number, more: object = {}): Promise<void> {
  const { status } = await post(`${url}/bursts`, { level: 'raw', msg: 'x', target: 'null', count, ...more });
  assert.equal(status, 200);
}

/** Fills the form and sends it; gives back what the page says to it. */
async function write(page: Page, fields: { level: string; target: string; msg: string; as?: string }): Promise<string> {
  await page.selectOption('#write-level', fields.level);
  await page.selectOption('#write-target', fields.target);
  await page.fill('#write textarea', fields.msg);
  await page.check(`#write [value=${fields.as ?? 'text'}]`);
  const before = await page.textContent('#answer-json');
  await page.click('#write button:has-text("Write")');
  while ((await page.textContent('#answer-json')) === before);
  return page.innerText('#answer');
}

/** The cells of the newest row, once it is the record with that number. */
async function rowOf(page: Page, seq: number): Promise<Record<string, string>> {
  const row = page.locator('#rows [role=row]', { has: page.locator(`.seq:text-is("${seq}")`) });
  await row.waitFor();
  const cells: Record<string, string> = {};
  for (const name of ['level', 'target', 'asked', 'result', 'message'])
    cells[name] = await row.locator(`.${name}`).innerText();
  return cells;
}

const clean = ({ errors, elsewhere }: Opened): void =>
  assert.deepEqual({ errors, elsewhere }, { errors: [], elsewhere: [] });

test('a write at each level: the answer, the row and the service’s stdout agree', async (t) => {
  const { reader, writer } = openFifo(t);
  const service = await startService(t, { stdout: writer });
  closeSync(writer);
  const opened = await openPage(t, service.url);
  if (!opened) return;
  const { page } = opened;
  await isLive(page);
  for (const [index, level] of LEVELS.entries()) {
    const msg = `Grüße from ${level}\n`;
    const bytes = Buffer.byteLength(msg);
    assert.match(
      await write(page, { level, target: 'stdout', msg }),
      new RegExp(`^${bytes} of ${bytes} bytes; record ${index + 1}, 1 call, `),
    );
    assert.deepEqual(await rowOf(page, index + 1), {
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
  clean(opened);
});

test('the errno of a fault target, in the answer and in the row; bad hex makes no call', async (t) => {
  const opened = await live(t);
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
    assert.equal((await rowOf(page, seq)).result, code);
  }
  await page.fill('#write textarea', '0x');
  await page.check('#write [value=hex]');
  await page.click('#write button:has-text("Write")');
  await page.locator('#answer:has-text("The message is not hex")').waitFor();
  assert.equal((await service.records()).length, seq);
  clean(opened);
});

test('pause, 1,000 calls, resume: nothing is missing', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  await burst(service, 10);
  await page.locator('#counts:text-is("10 rows of 10 records")').waitFor();
  await page.click('#pause');
  await page.locator('#state[data-state=paused]').waitFor();
  await burst(service, 1000);
  assert.equal(await page.innerText('#counts'), '10 rows of 10 records');
  await page.click('#pause');
  await page.locator('#counts:text-is("1,010 rows of 1,010 records")').waitFor();
  await rowOf(page, 1010);
  clean(opened);
});

test('what the ring lost meanwhile is a row with its exact numbers', async (t) => {
  const opened = await live(t, [...NULL, '--history', '50']);
  if (!opened) return;
  const { page, service } = opened;
  await page.click('#pause');
  await page.locator('#state[data-state=paused]').waitFor();
  await burst(service, 500);
  await page.click('#pause');
  await page.locator('#counts:text-is("51 rows of 50 records, 450 lost")').waitFor();
  await page.focus('#grid');
  await page.keyboard.press('End');
  await page.locator('#rows .note:text-is("450 records are lost: 1 to 450")').waitFor();
});

test('the service is killed and started anew: the page recovers by itself', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  await write(page, { level: 'raw', target: 'null', msg: 'before' });
  await rowOf(page, 1);
  service.child.kill('SIGKILL');
  await page.locator('#state[data-state=lost]').waitFor();
  const second = await startService(t, {
    args: [...NULL, '--target', 'other=/dev/null', '--port', new URL(service.url).port],
  });
  await page.locator('#rows .note:has-text("The service was started anew")').waitFor();
  await isLive(page);
  await second.write({ level: 'raw', target: 'other', msg: 'after' });
  await page.locator('#rows .message:text-is("after")').waitFor();
  await page.locator('#rows .message:text-is("before")').waitFor();
  await page.locator('#write-target option[value=other]').waitFor({ state: 'attached' });
  assert.match(await page.innerText('#service'), new RegExp(`process ${second.child.pid},`));
});

test('a message is data: HTML, escapes and direction marks do nothing', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  page.on('dialog', () => assert.fail('a dialog'));
  const nasty = [
    '<img src=x onerror="alert(1);hacked=1">',
    '\u001b[2J\u001b]0;title\u0007',
    '\u202egnp.exe',
    '</script><script>hacked=1</script>',
  ];
  const shown = [nasty[0], '␛[2J␛]0;title␇', '‹U+202E›gnp.exe', nasty[3]];
  for (const [index, msg] of nasty.entries()) {
    await service.write({ level: 'raw', target: 'null', msg });
    assert.equal((await rowOf(page, index + 1)).message, shown[index]);
    await page.locator('#rows [role=row]', { hasText: shown[index] as string }).click();
    await page
      .locator('#record dd', { hasText: new RegExp(`^${index + 1}$`) })
      .first()
      .waitFor();
    await page.keyboard.press('Home');
  }
  await write(page, { level: 'raw', target: 'null', msg: nasty[0] as string });
  assert.equal(await page.evaluate('typeof hacked'), 'undefined');
  assert.equal(await page.locator('#page img, #page script').count(), 0);
  clean(opened);
});

test('a row opens to the whole record, its bytes as hex and text', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  const { requestId } = await service.write({
    level: 'std',
    target: 'full',
    encoding: 'base64',
    msg: Buffer.from('é\u001b[31m 0123456789 \xff', 'latin1').toString('base64'),
  });
  await page.click('#rows .message');
  const text = await page.innerText('#record');
  for (const part of [requestId, 'ENOSPC (28): No space left on device', /\d+ ns\)/, 'std'])
    assert.match(text, part instanceof RegExp ? part : new RegExp(part.replace(/[()]/g, '\\$&')));
  const cells = await page.locator('#record .hex td').allInnerTexts();
  assert.deepEqual(cells, ['?? 1b 5b 33 31 6d 20 30 31 32 33 34 35 36 37 38', '�␛[31m 012345678', '39 20 ??', '9 �']);
  await page.click('#record-close');
  assert.equal(await page.isVisible('#record'), false);
});

test('a click on a row of a busy table opens what was pressed', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  let over = false;
  const running = burst(service, 4000, { ratePerSecond: 500 }).finally(() => {
    over = true;
  });
  await page.locator('#rows [role=row]').nth(5).waitFor();
  for (let clicks = 0; clicks < 8 && !over; clicks++) {
    const box = await page.locator('#grid').boundingBox();
    assert.ok(box);
    await page.mouse.move(box.x + 200, box.y + 100);
    await page.mouse.down();
    const pressed = await page.evaluate(
      `document.elementFromPoint(${box.x + 200}, ${box.y + 100}).closest('[role=row]').querySelector('.seq').textContent`,
    );
    // Some frames pass, as under a person's finger, and the stream goes on.
    for (let frames = 0; frames < 10; frames++) await page.evaluate('new Promise(requestAnimationFrame)');
    await page.mouse.up();
    await page.locator('#record dd').nth(1).waitFor();
    assert.equal(await page.locator('#record dd').nth(1).innerText(), pressed);
    await page.click('#record-close');
    await page.click('#newer');
    await page.locator('#newer').waitFor({ state: 'hidden' });
  }
  await running;
});

test('filters: by level, by target, errors only', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  for (const level of ['raw', 'os', 'std']) {
    await burst(service, 10, { level });
    await burst(service, 5, { level, target: 'full' });
  }
  const counts = (rows: number) => page.locator(`#counts:text-is("${rows} rows of 45 records")`).waitFor();
  await counts(45);
  await page.selectOption('#filter-level', 'os');
  await counts(15);
  await page.check('#filter [name=errors]');
  await counts(5);
  assert.deepEqual(await page.locator('#rows .result').allInnerTexts(), Array(5).fill('ENOSPC'));
  await page.selectOption('#filter-level', '');
  await counts(15);
  await page.selectOption('#filter-target', 'null');
  await counts(0);
  await page.uncheck('#filter [name=errors]');
  await counts(30);
});

test('pause and resume while it connects: one connection, each record once', async (t) => {
  const service = await startService(t, { args: NULL });
  await burst(service, 5);
  const opened = await openPage(t, 'about:blank');
  if (!opened) return;
  const { page } = opened;
  // Answers that are slow, as over a bad line: only when it is asked for the oldest record.
  const held: (() => void)[] = [];
  await page.route('**/events?limit=1', async (route) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await route.continue();
  });
  await page.goto(service.url);
  const asked = async (count: number) => {
    while (held.length < count) await page.evaluate('new Promise(requestAnimationFrame)');
  };
  await asked(1);
  await page.click('#pause:has-text("Pause")');
  await page.locator('#state[data-state=paused]').waitFor();
  held[0]?.();
  await page.click('#pause:has-text("Resume")');
  await asked(2);
  held[1]?.();
  await isLive(page);
  await page.locator('#counts:text-is("5 rows of 5 records")').waitFor();
  await burst(service, 5);
  await page.locator('#counts:text-is("10 rows of 10 records")').waitFor();
  assert.deepEqual(
    await page.locator('#rows .seq').allInnerTexts(),
    Array.from({ length: 10 }, (_, index) => `${10 - index}`),
  );
});

test('the filter that is shown is the one in force, also when the service has other targets than before', async (t) => {
  const opened = await live(t, [...NULL, '--target', 'other=/dev/null']);
  if (!opened) return;
  const { page, service } = opened;
  await burst(service, 3);
  await page.selectOption('#filter-target', 'other');
  await page.locator('#counts:text-is("0 rows of 3 records")').waitFor();
  await page.locator('#rows [role=row]').waitFor({ state: 'detached' });
  await service.stop();
  await page.locator('#state[data-state=lost]').waitFor();
  await startService(t, { args: [...NULL, '--port', new URL(service.url).port] });
  await page.locator('#rows .note').waitFor();
  await page.locator('#counts:text-is("4 rows of 3 records")').waitFor();
  assert.equal(await page.inputValue('#filter-target'), '');
});

test('100,000 rows: few of them are in the document, each can be reached, and a scrolled table stands still', async (t) => {
  const opened = await live(t, [...NULL, '--history', '200000']);
  if (!opened) return;
  const { page, service } = opened;
  await burst(service, 100_000);
  await page.locator('#counts:text-is("100,000 rows of 100,000 records")').waitFor({ timeout: 30_000 });
  assert.ok((await page.locator('#rows > *').count()) < 60);
  await page.focus('#grid');
  await page.keyboard.press('End');
  await rowOf(page, 1);
  await page.evaluate('document.getElementById("grid").scrollTop = 50000 * 28');
  await rowOf(page, 50_000);
  await burst(service, 500);
  await page.locator('#newer:has-text("500 newer rows")').waitFor();
  await rowOf(page, 50_000);
  await page.click('#newer');
  await rowOf(page, 100_500);
});

test('a burst of 100,000 keeps no click waiting', async (t) => {
  // A ring that holds them all: here it is about clicks, not about who is overtaken.
  const opened = await live(t, [...NULL, '--history', '200000']);
  if (!opened) return;
  const { page, service } = opened;
  // From when the browser got the click until the page has handled it and drawn.
  await page.evaluate(`
    globalThis.waits = [];
    addEventListener('click', (event) => requestAnimationFrame(() => waits.push(performance.now() - event.timeStamp)), true);
  `);
  let over = false;
  const running = burst(service, 100_000).finally(() => {
    over = true;
  });
  while (!over) for (const tab of ['#compare', '#calls']) await page.click(tab);
  await running;
  await page.locator('#counts:has-text("of 100,000 records")').waitFor({ timeout: 30_000 });
  for (let more = 0; more < 5; more++) for (const tab of ['#anatomy', '#calls']) await page.click(tab);
  const waits = (await page.evaluate('waits')) as number[];
  t.diagnostic(`${waits.length} clicks, the slowest took ${Math.max(...waits).toFixed(0)} ms`);
  assert.ok(waits.length > 10);
  assert.ok(Math.max(...waits) < 200, `${waits}`);
});

test('compare: draws each level, with its figures; can be stopped', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  await page.click('#compare');
  await page.selectOption('#compare-target', 'null');
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
  clean(opened);
});

test('anatomy: each level’s road, registers and machine code; what is not there is greyed, with its reason', async (t) => {
  if (!need(t, CC)) return;
  const launcher = confine(t);
  const service = await startService(t, {
    wrap: (command) => [launcher, `uring=${constants.errno.EPERM}`, ...command],
  });
  const opened = await openPage(t, service.url);
  if (!opened) return;
  const { page } = opened;
  await isLive(page);
  await page.click('#anatomy');
  const { levels: told } = (await (await fetch(`${service.url}/levels`)).json()) as {
    levels: { id: string; available: boolean; reason: string | null; code: string | null }[];
  };
  assert.equal(told.find(({ id }) => id === 'uring')?.available, false);
  for (const { id, available, reason, code } of told) {
    const article = page.locator(`article[aria-label=${id}]`);
    assert.match(await article.locator('.road').innerText(), /^JavaScript\n.*kernel\n/s);
    assert.equal((await article.getAttribute('class'))?.includes('unavailable') ?? false, !available);
    assert.equal(await page.locator(`#write-level option[value=${id}]`).isDisabled(), !available);
    if (reason !== null) assert.ok((await article.innerText()).includes(reason));
    if (code !== null)
      assert.ok((await article.locator('pre').innerText()).replaceAll(' ', '').startsWith(code.slice(0, 40)));
  }
});

test('by keyboard alone: the views, the table, a record, a write', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  await burst(service, 50);
  await page.locator('#counts:text-is("50 rows of 50 records")').waitFor();
  const { keyboard } = page;
  const focused = (): Promise<string> =>
    page.evaluate(
      'document.activeElement.id || document.activeElement.name || document.activeElement.textContent',
    ) as Promise<string>;
  const tabTo = async (id: string): Promise<void> => {
    for (let presses = 0; (await focused()) !== id; presses++) {
      assert.ok(presses < 40, `Tab never comes to ${id}`);
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

test('the curl line does the same', async (t) => {
  const opened = await live(t);
  if (!opened) return;
  const { page, service } = opened;
  assert.match((await page.textContent('#curl')) ?? '', /"level":"raw","target":"stdout"/, 'from the first on');
  await write(page, { level: 'raw', target: 'null', msg: `it's "$HOME" \\ \n` });
  await page.click('summary:has-text("curl")');
  const line = await page.innerText('#curl');
  assert.ok(line.startsWith(`curl -s ${service.url}/write -H 'content-type: application/json' -d '`));
  const body = execFileSync('sh', ['-c', line.replace(/^curl .* -d /, 'printf %s ')], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(body), { level: 'raw', target: 'null', msg: `it's "$HOME" \\ \n` });
});

test('with a token: the form first, a wrong one is refused, the right one opens the page until logging out', async (t) => {
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
  await isLive(page);
  assert.equal(await page.evaluate('document.cookie'), '', 'no script can read it');
  await write(page, { level: 'raw', target: 'full', msg: 'x' });
  await rowOf(page, 1);
  await page.click('summary:has-text("curl")');
  assert.match(await page.innerText('#curl'), /-H "authorization: Bearer \$SYSWIRE_TOKEN"/);
  await page.reload();
  await isLive(page);
  await page.click('#logout');
  await page.locator('#login').waitFor();
  assert.equal(await page.isVisible('#page'), false);
});

const axe = readFileSync(path.join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');

for (const colorScheme of ['light', 'dark'] as const) {
  test(`${colorScheme}: axe finds no violation in any view`, async (t) => {
    const opened = await live(t, NULL, { colorScheme, bypassCSP: true });
    if (!opened) return;
    const { page, service } = opened;
    await burst(service, 100, { target: 'full' });
    await write(page, { level: 'std', target: 'full', msg: 'x' });
    await page.click('#rows .message');
    await page.addScriptTag({ content: axe });
    async function check(view: string): Promise<void> {
      const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
      const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n  ')}`);
      assert.deepEqual(told, [], view);
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

test('360 pixels wide: nothing sticks out', async (t) => {
  const opened = await live(t, NULL, { viewport: { width: 360, height: 740 } });
  if (!opened) return;
  const { page, service } = opened;
  await burst(service, 10);
  await page.click('#rows .message');
  // Drawn while it was wide, as when a phone is turned.
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
