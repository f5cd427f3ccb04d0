// GET /docs in a browser: Swagger UI shows openapi.yaml and works under its Content-Security-Policy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen, testApp } from '../support/app.js';
import { openPage } from '../support/browser.js';

test('/docs shows every route and makes a call, asks no other host, and violates no rule of its policy', async (t) => {
  const { app, written } = testApp(t);
  const url = await listen(app);
  const opened = await openPage(t, `${url}/docs`);
  if (!opened) return;
  const { page, errors, elsewhere } = opened;
  const write = page.locator('.opblock', { has: page.locator('[data-path="/write"]') });
  await write.locator('.opblock-summary-control').click();
  await write.locator('.try-out__btn').click();
  await write.locator('textarea').fill('{"level":"raw","msg":"from the reader","target":"out"}');
  await write.locator('.execute').click();
  await write.locator('.live-responses-table tbody .response-col_status', { hasText: '200' }).waitFor();
  assert.equal(String(written()), 'from the reader');
  assert.equal(await page.locator('.opblock').count(), Object.values(app.swagger().paths ?? {}).length);
  assert.deepEqual({ errors, elsewhere }, { errors: [], elsewhere: [] });
});

test('the policy of /docs allows no inline code and no other host', async (t) => {
  const { app } = testApp(t);
  for (const url of ['/docs', '/docs/', '/docs/static/swagger-ui.css']) {
    const { headers } = await app.inject(url);
    const policy = `${headers['content-security-policy']}`;
    assert.match(policy, /^default-src 'self';/, url);
    assert.doesNotMatch(policy, /unsafe|http:|\*/, url);
    assert.equal(headers['x-content-type-options'], 'nosniff', url);
  }
});
