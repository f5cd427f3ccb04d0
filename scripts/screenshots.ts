// npm run screenshots: takes the README's pictures of the page (light, dark, narrow) and writes them to docs/.
import { setTimeout } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { LEVEL_IDS } from '../src/protocol/names.js';
import { buildApp } from '../src/server/app.js';
import { levels } from '../src/syscalls/index.js';
import { launch } from '../test/support/browser.js';

const available = LEVEL_IDS.filter((id) => levels[id].available);
const app = buildApp();
const url = await app.listen({ port: 0, host: '127.0.0.1' });
const post = (path: string, body: object) => app.inject({ method: 'POST', url: path, payload: body });

const SECONDS = 20;

/** Make traffic for the plots, at a rate that rises and falls, and then a few calls with readable messages. */
async function fill(): Promise<void> {
  for (let tick = 0; tick < 10 * SECONDS; tick++) {
    const writes = available.flatMap((level, index) =>
      Array.from({ length: Math.round(20 + 18 * Math.sin(tick / (4 + index) + index)) }, (_, nth) => ({
        level,
        msg: 'x',
        target: nth % 9 === 0 ? 'full' : 'null',
      })),
    );
    await post('/writes', { writes });
    await setTimeout(100);
  }
  for (const level of available) {
    await post('/write', { level, msg: `Hello world from ${level}!\n`, target: 'null' });
    await post('/write', { level, msg: 'Grüße, 世界 \u001b[31mred', target: 'full' });
  }
}

const VIEWS: Record<
  string,
  { width: number; height: number; scheme: 'light' | 'dark'; show: (page: Page) => Promise<void> }
> = {
  'page-light': {
    width: 1400,
    height: 860,
    scheme: 'light',
    async show(page) {
      await page.click('#rows [role=row] >> nth=2');
      await page.mouse.move(0, 0);
    },
  },
  'page-dark': {
    width: 1400,
    height: 700,
    scheme: 'dark',
    async show(page) {
      await page.click('#compare');
      await page.click('#compare-start');
      await page.locator('#compare-status:has-text("Done")').waitFor();
    },
  },
  'page-narrow': {
    width: 360,
    height: 780,
    scheme: 'light',
    async show(page) {
      await page.locator('#filter').scrollIntoViewIfNeeded();
    },
  },
};

await fill();
const browser = await launch();
for (const [name, { width, height, scheme, show }] of Object.entries(VIEWS)) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  await page.goto(url);
  await page.locator('#rows [role=row]').first().waitFor();
  // The page shows the rates once a second.
  await page.locator('.small .errors:has-text("errors/s")').first().waitFor();
  await show(page);
  await page.screenshot({ path: `docs/${name}.png` });
  await page.close();
}
await browser.close();
await app.close();
