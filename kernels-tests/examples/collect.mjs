/** Every command line that `--help` and the README show, found in them: nobody keeps a list. */
import * as fs from 'node:fs';
import { COMMANDS } from '../../dist/cli/commands.js';

const readme = new URL('../../README.md', import.meta.url);

/** What is shown, and where. The same line in two places is one example, however it starts `osler`. */
export function examples() {
  const found = new Map();
  for (const example of [...COMMANDS.flatMap((command) => helpOf(command)), ...shellLines()]) {
    const line = example.text.replace(/^(npm run -s osler --|npx osler)/, 'osler');
    if (!found.has(line)) found.set(line, example);
  }
  return [...found.values()];
}

/** A command's examples, and those of its subcommands: what it tells yargs when it is built. */
function helpOf({ command, builder }, above = 'osler') {
  const name = `${above} ${String(command).split(' ')[0]}`;
  const found = [];
  const yargs = new Proxy(
    {},
    {
      get: (_, method) => (argument) => {
        if (method === 'example')
          found.push({ where: `${name} --help`, text: argument.replace('$0', 'osler') });
        if (method === 'command') found.push(...[argument].flat().flatMap((inner) => helpOf(inner, name)));
        return yargs;
      },
    },
  );
  builder(yargs);
  return found;
}

/** The lines of the README's shell blocks; a line that ends with a backslash goes on. */
function shellLines() {
  const blocks = fs.readFileSync(readme, 'utf8').matchAll(/```sh\n([\s\S]*?)```/g);
  return [...blocks]
    .flatMap(([, block]) => block.replace(/\\\n\s*/g, '').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((text) => ({ where: 'README.md', text }));
}

/** A line's words as a shell has them: quotes keep spaces, and go. */
export function shellWords(line) {
  const words = line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
}
