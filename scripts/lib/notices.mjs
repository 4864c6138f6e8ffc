/** Whose code a bundle carries: read from node_modules, so that it stays true when a dependency changes. */
import * as fs from 'node:fs';
import path from 'node:path';

/** The packages that these module files belong to, by name, each with its version, licence and the licence's text. */
export function packagesOf(files) {
  const folders = new Set(files.map(packageFolder).filter(Boolean));
  return [...folders].map(describe).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What the packages' licences ask to be passed on with their code. */
export function noticeText(packages) {
  return packages
    .map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}`)
    .join(`\n\n${'-'.repeat(78)}\n\n`);
}

/** The innermost `node_modules/NAME` or `node_modules/@SCOPE/NAME` that a file lies in. */
function packageFolder(file) {
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file)?.[0];
}

function describe(folder) {
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const files = fs.readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  if (!license || files.length === 0) {
    throw new Error(
      `${name} names no licence or carries no text of it; find it out, or do without the package`,
    );
  }
  const texts = files.sort().map((file) => fs.readFileSync(path.join(folder, file), 'utf8').trim());
  return { name, version, license, text: texts.join('\n\n').replaceAll('\r\n', '\n') };
}
