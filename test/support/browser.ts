// Headless Chromium, driven by playwright-core. https://playwright.dev/docs/api/class-browsertype#browser-type-launch
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { need } from './tools.js';

const EXECUTABLE = '/usr/bin/chromium';
/** No sandbox, because tests may run as root; and none of the features that look for a network. */
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
  /** Uncaught errors, and errors on the console, which include breaches of the Content-Security-Policy. */
  errors: string[];
  /** URLs of requests to any other origin than the service's. */
  elsewhere: string[];
};

/** Opens a page in a new browser, and closes it when the test ends. Returns null where Chromium is not installed. */
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
