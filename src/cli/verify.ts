/** `osler verify`: whether checkpoints are as they were written. */
import type { CommandModule } from 'yargs';
import { FileError } from '../platform/errors.js';
import { isFolder, join, namesIn } from '../platform/files.js';
import { MANIFEST, type Verdict, verifyCheckpoint } from '../train/manifest.js';
import { RunFolder } from '../train/run-folder.js';
import { type CommonArgs, commonOptions, printJson } from './common.js';

interface Args extends CommonArgs {
  readonly path: string;
}

/** A checkpoint and what was found. */
type Row = { readonly checkpoint: string } & Verdict;

function line({ checkpoint, ...verdict }: Row): string {
  switch (verdict.kind) {
    case 'intact': {
      const { files, device } = verdict.manifest;
      const made = `${device.adapter}, ${device.driver}, tier ${device.tier}`;
      return `${checkpoint}: intact, ${Object.keys(files).length} files, made on ${made}`;
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
      .epilogue('Exit code 1 where a checkpoint is damaged or has no digests.'),
  handler: async (args) => {
    const rows: Row[] = [];
    for (const checkpoint of await checkpointsOf(args.path))
      rows.push({ checkpoint, ...(await verifyCheckpoint(checkpoint)) });
    if (args.json) printJson({ pass: rows.every(({ kind }) => kind === 'intact'), checkpoints: rows });
    else console.log(rows.map(line).join('\n'));
    if (rows.some(({ kind }) => kind !== 'intact')) process.exitCode = 1;
  },
};
