// Headless Chromium, driven by playwright-core. https://playwright.dev/docs/api/class-browsertype#browser-type-launch
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { need } from './tools.js';

const EXECUTABLE = '/usr/bin/chromium';
/** No sandbox, since tests may run as root; and nothing that looks for a network. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: EXECUTABLE, args: ARGS });

export type Opened = {
  page: Page;
  /** What went wrong in it: uncaught errors, and the console's, those of the Content-Security-Policy among them. */
  errors: string[];
  /** What it asked of others than the service. */
  elsewhere: string[];
};

/** A page of its own in a browser of its own, closed when the test ends; null where there is no Chromium. */
export async function openPage(
  t: TestContext,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Opened | null> {
  if (!need(t, { command: 'chromium', package: 'chromium' })) return null;
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  const elsewhere: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) elsewhere.push(request.url());
  });
  await page.goto(url);
  return { page, errors, elsewhere };
}
