/** `osler verify`: whether checkpoints are as they were written, and their run's config and data as they were then. */
import type { CommandModule } from 'yargs';
import { FileError } from '../platform/errors.js';
import { isFolder, join, namesIn, readIfThere, splitPath } from '../platform/files.js';
import { MANIFEST, type Verdict, verifyCheckpoint } from '../train/manifest.js';
import { Present } from '../train/origin.js';
import { CONFIG_FILE, RunFolder } from '../train/run-folder.js';
import { type CommonArgs, commonOptions } from './common.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly path: string;
}

/** A checkpoint and what was found; `notes` say what else is not as it was, which is no damage. */
type Row = { readonly checkpoint: string; readonly notes: readonly string[] } & Verdict;

function line({ checkpoint, notes, ...verdict }: Row): string {
  switch (verdict.kind) {
    case 'intact': {
      const { files, device, osler } = verdict.manifest;
      const made = `${osler ? `by Osler ${osler} ` : ''}on ${device.adapter}, ${device.driver}, tier ${device.tier}`;
      const intact = `${checkpoint}: intact, ${Object.keys(files).length} files, made ${made}`;
      return [intact, ...notes.map((note) => `  note: ${note}`)].join('\n');
    }
    case 'unknown':
      return `${checkpoint}: has no ${MANIFEST}, so nothing can be said of it`;
    case 'damaged':
      return `${checkpoint}: DAMAGED: ${verdict.problems.join('; ')}`;
  }
}

async function checkpointsOf(path: string): Promise<string[]> {
  if (!(await isFolder(path))) throw new FileError(path, 'is no folder; name a run or a checkpoint');
  if ((await namesIn(path)).includes(MANIFEST)) return [path];
  const folder = new RunFolder(path);
  const steps = await folder.checkpoints();
  if (steps.length > 0) return steps.map((step) => folder.checkpoint(step));
  if (await isFolder(join(path, 'checkpoints')))
    throw new FileError(path, 'is a run without checkpoints yet');
  return [path];
}

async function rowOf(checkpoint: string, present: Present): Promise<Row> {
  const verdict = await verifyCheckpoint(checkpoint);
  if (verdict.kind !== 'intact') return { checkpoint, notes: [], ...verdict };
  const notes = await present.differences(verdict.manifest, await configOf(checkpoint));
  return { checkpoint, notes, ...verdict };
}

/** The text of the config of the run that a checkpoint is in; undefined where it is in none. */
async function configOf(checkpoint: string): Promise<string | undefined> {
  const above = join(checkpoint, '..');
  if (splitPath(above).name !== 'checkpoints') return undefined;
  const bytes = await readIfThere(join(above, '..', CONFIG_FILE));
  return bytes && new TextDecoder().decode(bytes);
}

/** The yargs command. */
export const verify: CommandModule<object, Args> = {
  command: 'verify <path>',
  describe: 'Compare the files of checkpoints with the digests that were written with them',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'Folder of a run or of a checkpoint',
      })
      .example('$0 verify runs/grpo', 'every checkpoint of a run')
      .example('$0 verify runs/grpo/checkpoints/step-000200 --json', 'one of them, for scripts')
      .epilogue(
        'Exit code 1 where a checkpoint is damaged or has no digests. A config, data or a model that changed since a checkpoint was written are noted: its files are what they were, but could not be made again.',
      ),
  handler: async (args) => {
    const rows: Row[] = [];
    const present = new Present();
    for (const checkpoint of await checkpointsOf(args.path)) rows.push(await rowOf(checkpoint, present));
    if (args.json) printJson({ pass: rows.every(({ kind }) => kind === 'intact'), checkpoints: rows });
    else print(rows.map(line).join('\n'));
    if (rows.some(({ kind }) => kind !== 'intact')) process.exitCode = 1;
  },
};
