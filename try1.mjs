import { spawn } from 'node:child_process';
import http from 'node:http';

const url = process.argv[2];
const lost = {};
for (const size of [4.2, 8, 16, 32]) {
  const body = Buffer.alloc(size * 1e6, 120);
  let a = 0,
    b = 0;
  for (let i = 0; i < 20; i++) {
    try {
      const r = await fetch(`${url}/write`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      if (r.status !== 413) a++;
      await r.text();
    } catch {
      a++;
    }
    await new Promise((resolve) => {
      const req = http.request(
        `${url}/write`,
        { method: 'POST', headers: { 'content-type': 'application/json', 'content-length': body.length } },
        (res) => {
          if (res.statusCode !== 413) b++;
          res.resume();
          res.on('end', resolve);
          res.on('error', () => {
            b++;
            resolve();
          });
        },
      );
      const done = false;
      req.on('error', () => {
        b++;
        resolve();
      });
      req.end(body);
    });
  }
  console.log(size, 'fetch lost', a, 'http lost', b);
}
