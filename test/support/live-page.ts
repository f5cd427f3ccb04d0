// Helpers for tests of the monitor page: a real browser, and a real service behind it.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels } from '../../src/syscalls/index.js';
import { type Opened, openPage } from './browser.js';
import { post, type Service, startService } from './service.js';

export const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);

/** Start a service, open its page and wait until the stream is live; return null where there is no Chromium. */
export async function openLivePage(t: TestContext, args: string[] = [], options: Parameters<typeof openPage>[2] = {}) {
  const service = await startService(t, { args });
  const opened = await openPage(t, service.url, options);
  if (!opened) return null;
  await waitUntilLive(opened.page);
  return { service, ...opened };
}

export const waitUntilLive = (page: Page): Promise<void> => page.locator('#state[data-state=live]').waitFor();

export async function makeBurst({ url }: Service, count: number, more: object = {}): Promise<void> {
  const { status } = await post(`${url}/bursts`, { level: 'raw', msg: 'x', target: 'null', count, ...more });
  assert.equal(status, 200);
}

/** Fill the write form, send it, and return the answer that the page shows. */
export async function write(
  page: Page,
  fields: { level: string; target: string; msg: string; as?: string },
): Promise<string> {
  await page.selectOption('#write-level', fields.level);
  await page.selectOption('#write-target', fields.target);
  await page.fill('#write textarea', fields.msg);
  await page.check(`#write [value=${fields.as ?? 'text'}]`);
  const before = await page.textContent('#answer-json');
  await page.click('#write button:has-text("Write")');
  while ((await page.textContent('#answer-json')) === before);
  return page.innerText('#answer');
}

/** Wait for the row of the record with this `seq`, and return its cells. */
export async function readRow(page: Page, seq: number): Promise<Record<string, string>> {
  const row = page.locator('#rows [role=row]', { has: page.locator(`.seq:text-is("${seq}")`) });
  await row.waitFor();
  const cells: Record<string, string> = {};
  for (const name of ['level', 'target', 'asked', 'result', 'message'])
    cells[name] = await row.locator(`.${name}`).innerText();
  return cells;
}

/** Assert that the page reported no error and asked no other host. */
export const assertClean = ({ errors, elsewhere }: Opened): void =>
  assert.deepEqual({ errors, elsewhere }, { errors: [], elsewhere: [] });
