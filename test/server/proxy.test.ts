// The configurations of docs/proxy.md, each with the real proxy in front of the service.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { readPage } from '../support/docs/pages.js';
import { ROOT, startService, tempFolder } from '../support/service.js';
import { need, type Tool } from '../support/tools.js';

const PAGE = 'docs/proxy.md';
/** Long enough for any of the proxies to start on a busy machine. */
const PATIENCE_MS = 20_000;

type Proxy = {
  tool: Tool;
  /** Add what the page leaves out because a distribution's own files have it. */
  complete: (block: string, folder: string) => string;
  command: (file: string) => string[];
};

const PROXIES: Record<string, Proxy> = {
  nginx: {
    tool: { command: 'nginx', package: 'nginx-light' },
    complete(block, folder) {
      const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
      // A worker of another user could not enter the folder.
      const user = process.getuid?.() === 0 ? 'user root;' : '';
      return `${user} daemon off; pid ${folder}/pid; error_log stderr warn; events {}
http { access_log off; ${places.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
${block}
}`;
    },
    command: (file) => ['nginx', '-e', 'stderr', '-p', path.dirname(file), '-c', file],
  },
  haproxy: {
    tool: { command: 'haproxy', package: 'haproxy' },
    complete: (block) => block,
    command: (file) => ['haproxy', '-db', '-f', file],
  },
  caddy: {
    tool: { command: 'caddy', package: 'caddy' },
    // Its administration listens on a port that another Caddy may have.
    complete: (block) => `{\n\tadmin off\n}\n${block}`,
    command: (file) => ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'],
  },
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Start a proxy with a configuration of the page, and wait until it listens. @returns its port */
async function startProxy(
  t: TestContext,
  { complete, command }: Proxy,
  block: string,
  service: string,
): Promise<number> {
  const folder = tempFolder(t);
  mkdirSync(path.join(folder, 'home'));
  const port = await freePort();
  const ports = block.replaceAll(':8080', `:${new URL(service).port}`).replaceAll(':8081', `:${port}`);
  const file = path.join(folder, 'configuration');
  writeFileSync(file, `${complete(ports, folder)}\n`);
  const [name, ...args] = command(file) as [string, ...string[]];
  const child = spawn(name, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, HOME: path.join(folder, 'home') },
  });
  const errors = text(child.stderr);
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill();
    await exited;
  });
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for (;;) {
    if (child.exitCode !== null || signal.aborted) assert.fail(`${name} did not start: ${await errors}`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return port;
  }
}

type Answer = { status: number | undefined; body: { written?: number; detail?: string } };

/** Send POST /write through the proxy. fetch cannot choose Host and Origin. */
async function write(port: number, prefix: string, host: string, origin: string, msg = 'x'): Promise<Answer> {
  const body = JSON.stringify({ level: 'raw', target: 'file', msg });
  const sent = request({ port, host: '127.0.0.1', method: 'POST', path: `${prefix}/write`, agent: false });
  sent.setHeader('host', host).setHeader('origin', origin).setHeader('content-type', 'application/json');
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const got = await text(answer);
  return { status: answer.statusCode, body: JSON.parse(got) };
}

const blocks = existsSync(path.join(ROOT, PAGE)) ? readPage(PAGE).steps.filter((step) => step !== 'Ctrl-C') : []; // An image for tests is made of some of the project's files.

const configurations = blocks
  .filter(({ language }) => PROXIES[language])
  .map(({ language, lines, line }) => {
    const block = lines.join('\n');
    return { language, block, line, prefix: block.includes('/syswire/') ? '/syswire' : '' };
  });

const startTarget = (t: TestContext) =>
  startService(t, { args: ['--target', `file=${tempFolder(t)}/out`, '--allow-host', 'syswire.example'] });

test('the page has two configurations of each proxy, at the root and under a prefix', (t) => {
  if (blocks.length === 0) return t.skip('not all files of the project are here');
  const names = configurations.map(({ language, prefix }) => `${language} ${prefix}`).sort();
  assert.deepEqual(
    names,
    Object.keys(PROXIES)
      .flatMap((name) => [`${name} `, `${name} /syswire`])
      .sort(),
  );
});

for (const { language, block, line, prefix } of configurations) {
  test(`${language} as in ${PAGE}:${line} passes writes and the stream, and keeps other sites out`, async (t) => {
    const proxy = PROXIES[language] as Proxy;
    if (!need(t, proxy.tool)) return;
    const { url } = await startTarget(t);
    const port = await startProxy(t, proxy, block, url);
    const host = `127.0.0.1:${port}`;
    const socket = new WebSocket(`ws://${host}${prefix}/events`, { origin: `http://${host}` });
    t.after(() => socket.terminate());
    const [hello] = await once(socket, 'message');
    assert.equal(JSON.parse(String(hello)).type, 'hello');
    const record = once(socket, 'message');
    for (const name of [host, `syswire.example:${port}`])
      assert.deepEqual((await write(port, prefix, name, `http://${name}`)).body.written, 1, name);
    assert.equal(JSON.parse(String((await record)[0]).split('\n')[0] as string).seq, 1);
    const foreign = await write(port, prefix, host, 'https://evil.example');
    assert.equal(foreign.status, 403);
    assert.match(foreign.body.detail ?? '', new RegExp(`^Origin 'https://evil.example' .* Host '${host}'`));
    const large = await write(port, prefix, host, `http://${host}`, 'x'.repeat(3_000_000));
    assert.deepEqual([large.status, large.body.written], [200, 3_000_000]);
  });
}

test('nginx without the line about Host: the 403 has that line, what was sent, and what is expected', async (t) => {
  const { block } = configurations.find(({ language }) => language === 'nginx') ?? {};
  if (!block) return t.skip('not all files of the project are here');
  const proxy = PROXIES.nginx as Proxy;
  if (!need(t, proxy.tool)) return;
  const line = 'proxy_set_header Host $http_host;';
  assert.ok(block.includes(line));
  const { url } = await startTarget(t);
  const port = await startProxy(t, proxy, block.replace(line, ''), url);
  const address = new URL(url).host;
  const byAddress = await write(port, '', `127.0.0.1:${port}`, `http://127.0.0.1:${port}`);
  assert.equal(byAddress.status, 403);
  assert.ok(
    byAddress.body.detail?.startsWith(`Origin 'http://127.0.0.1:${port}' is another site than Host '${address}'`),
  );
  assert.ok(byAddress.body.detail?.includes(`whose Origin is http://${address} or https://${address}`));
  assert.ok(byAddress.body.detail?.endsWith(line));
});
