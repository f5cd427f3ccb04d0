// The page in a real browser, beside the real service.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels } from '../../src/syscalls/index.js';
import { type Opened, openPage } from './browser.js';
import { post, type Service, startService } from './service.js';

export const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
export const NULL = ['--target', 'null=/dev/null'];

/** The page, live, and the service behind it. */
export async function live(t: TestContext, args: string[] = NULL, options: Parameters<typeof openPage>[2] = {}) {
  const service = await startService(t, { args });
  const opened = await openPage(t, service.url, options);
  if (!opened) return null;
  await isLive(opened.page);
  return { service, ...opened };
}

export const isLive = (page: Page): Promise<void> => page.locator('#state[data-state=live]').waitFor();

export async function burst({ url }: Service, count: number, more: object = {}): Promise<void> {
  const { status } = await post(`${url}/bursts`, { level: 'raw', msg: 'x', target: 'null', count, ...more });
  assert.equal(status, 200);
}

/** Fills the form and sends it; gives back what the page says to it. */
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

/** The cells of the newest row, once it is the record with that number. */
export async function rowOf(page: Page, seq: number): Promise<Record<string, string>> {
  const row = page.locator('#rows [role=row]', { has: page.locator(`.seq:text-is("${seq}")`) });
  await row.waitFor();
  const cells: Record<string, string> = {};
  for (const name of ['level', 'target', 'asked', 'result', 'message'])
    cells[name] = await row.locator(`.${name}`).innerText();
  return cells;
}

export const clean = ({ errors, elsewhere }: Opened): void =>
  assert.deepEqual({ errors, elsewhere }, { errors: [], elsewhere: [] });
