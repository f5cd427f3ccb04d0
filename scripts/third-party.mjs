// Collects the licenses of the packages inside dist/, as they ask: every copy keeps the text.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

function manifest(folder) {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

// Packages without a file of their own: the holder whom the address in their README names.
const MIT = { 'abstract-logging': 'Copyright (c) James Sumners' };

/** Returns the text of a package's license. @throws when it has none */
function licenseIn(folder) {
  const name = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (name) return readFileSync(path.join(folder, name), 'utf8').trim();
  const holder = MIT[path.basename(folder)];
  if (!holder) throw new Error(`${folder} has no file with its license: enter it into MIT in scripts/third-party.mjs`);
  return readFileSync('LICENSE', 'utf8')
    .trim()
    .replace(/^Copyright .*$/m, holder);
}

// Swagger UI's files come inside @fastify/swagger-ui, which has its own license only. Apache-2.0 asks for its text, and
// for the NOTICE: https://github.com/swagger-api/swagger-ui/blob/master/NOTICE
const SWAGGER_UI = {
  title: `swagger-ui-dist ${manifest('node_modules/@fastify/swagger-ui').devDependencies['swagger-ui-dist']} (Apache-2.0)`,
  text: `swagger-ui\nCopyright 2020-2021 SmartBear Software Inc.\n\n${licenseIn('node_modules/@opentelemetry/api')}`,
};

/** Makes the file. @param inputs the files that were bundled, from the project's folder @returns its text */
export function thirdPartyLicenses(inputs) {
  const folders = new Set(inputs.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
  const packages = [...folders].map((folder) => {
    const { name, version, license } = manifest(folder);
    return { title: `${name} ${version} (${license})`, text: licenseIn(folder) };
  });
  const sections = [...packages, SWAGGER_UI]
    .sort((one, other) => (one.title < other.title ? -1 : 1))
    .map(({ title, text }) => `${title}\n${'-'.repeat(title.length)}\n\n${text}\n`);
  return `syswire contains these packages.\n\n${sections.join('\n\n')}`;
}
