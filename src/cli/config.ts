/** `osler config import`: configs of other trainers. */
import { readFile } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { atomicWrite } from '../platform/files.js';
import { readProblem } from '../platform/node/system-errors.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { importConfig, importedText, ORIGINS } from './import/import.js';
import { print, printJson, tell } from './terminal.js';

interface Args extends CommonArgs {
  readonly file: string;
  readonly from?: string;
  readonly out?: string;
}

const configImport: CommandModule<object, Args> = {
  command: 'import <file>',
  describe:
    'Make a config of one of TRL, EasyR1 or ms-swift (YAML or JSON), and name what has no counterpart',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('file', { type: 'string', demandOption: true, describe: 'The config' })
      .option('from', {
        choices: Object.keys(ORIGINS),
        describe: 'Whose it is; by default what its fields show',
      })
      .option('out', { type: 'string', describe: 'File to write; standard output by default' })
      .example(
        '$0 config import grpo_vlm.yaml --out run.yaml',
        'then: osler grpo --config run.yaml',
      ) as never,
  handler: async ({ file, from, out, json }) => {
    const imported = importConfig(file, await textOf(file), from);
    if (json) return printJson(imported);
    for (const [name, why] of Object.entries(imported.without)) tell(`${name}: ${why}`);
    const needless = Object.keys(imported.needless);
    if (needless.length > 0) tell(`not needed here: ${needless.join(', ')}`);
    if (imported.problem !== null) tell(`to be mended: ${imported.problem}`);
    const text = importedText(imported);
    if (out === undefined) return print(text.trimEnd());
    await atomicWrite(out, text);
    tell(`${out}: a config of osler ${imported.trainer}`);
  },
};

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} ${readProblem(error)}`);
  }
}

/** The yargs command. */
export const config: CommandModule = {
  command: 'config',
  describe: 'Read configs of other trainers',
  builder: (yargs) => yargs.command(configImport).demandCommand(1, 'Name import.'),
  handler: () => {},
};
