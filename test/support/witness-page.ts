// Steps in the page that several tests of the witness share.
import type { TestContext } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { openPage } from './browser.js';
import { readRow, waitUntilLive } from './live-page.js';
import { type ServiceOptions, startService } from './service.js';

/** Opens the page of a service that was started in another way. Returns null where there is no Chromium. */
export async function openPageOf(t: TestContext, options: ServiceOptions) {
  const service = await startService(t, options);
  const opened = await openPage(t, service.url);
  if (!opened) return null;
  await waitUntilLive(opened.page);
  return { service, ...opened };
}

/** Opens the record of the row with this `seq`, and returns its body. */
export async function openRecord(page: Page, seq: number): Promise<Locator> {
  // An opened row makes the table stand still.
  await page.press('#grid', 'Home');
  await readRow(page, seq);
  await page.locator('#rows [role=row]', { has: page.locator(`.seq:text-is("${seq}")`) }).click();
  await page.locator(`#record dl:has-text("seq${seq}time")`).waitFor();
  return page.locator('#record-body');
}

/** Makes this number of calls at each level, and returns what Compare says then. */
export async function compare(page: Page, count: number): Promise<string> {
  await page.click('#compare');
  await page.fill('[name=count]', `${count}`);
  await page.click('#compare-start');
  await page.locator('#compare-status:has-text("Done")').waitFor();
  return page.innerText('#compare-status');
}
