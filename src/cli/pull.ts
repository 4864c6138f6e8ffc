/** `osler pull`: a model from the Hugging Face hub. */

import type { CommandModule } from 'yargs';
import { counted } from '../formats/counted.js';
import { type PullProgress, pullModel } from '../platform/node/hub/pull.js';
import { type CommonArgs, commonOptions } from './common.js';
import { clearProgress, print, printJson, showProgress, tell } from './terminal.js';

interface Args extends CommonArgs {
  readonly model: string;
  readonly out?: string;
  readonly revision?: string;
  readonly all: boolean;
}

/** One line that is written over on a terminal; elsewhere a line per file. */
function progressLine(): (progress: PullProgress) => void {
  const start = performance.now();
  let shown = 0;
  let first: number | undefined;
  let last = '';
  return ({ file, bytes, totalBytes }) => {
    first ??= bytes;
    const now = performance.now();
    if (!process.stderr.isTTY) {
      if (file !== last) tell(`${file} (${megabytes(bytes)} of ${megabytes(totalBytes)} MB)`);
      last = file;
      return;
    }
    if (now - shown < 200) return;
    shown = now;
    const rate = ((bytes - first) / (now - start)) * 1000;
    const left = rate > 0 ? `, ${Math.ceil((totalBytes - bytes) / rate)} s left` : '';
    const done = `${megabytes(bytes)} of ${megabytes(totalBytes)} MB, ${megabytes(rate)} MB/s${left}`;
    showProgress(`${file}  ${done}`);
  };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** The yargs command. */
export const pull: CommandModule<object, Args> = {
  command: 'pull <model>',
  describe: 'Fetch a model from the Hugging Face hub; an interrupted pull goes on where it ended',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('model', { type: 'string', demandOption: true, describe: 'ORG/NAME' })
      .option('out', { type: 'string', describe: 'Folder to write; models/NAME by default' })
      .option('revision', { type: 'string', describe: 'Branch, tag or commit; main by default' })
      .option('all', {
        type: 'boolean',
        default: false,
        describe: 'Every file of the repository, not just safetensors, configs, tokenizer and licence',
      })
      .example('$0 pull Qwen/Qwen2-VL-2B-Instruct', 'into models/Qwen2-VL-2B-Instruct')
      .example('HF_TOKEN=hf_... $0 pull org/private-model --out models/mine', 'a private or gated model')
      .epilogue(
        'HF_TOKEN is sent where it is set, over plain HTTP to this machine only; HF_ENDPOINT is a hub other than https://huggingface.co. ' +
          'Files that are there with the right checksum are not fetched again.',
      ),
  handler: async ({ model, out, revision, all, json }) => {
    const { HF_TOKEN: token, HF_ENDPOINT: hubUrl } = process.env;
    const result = await pullModel({
      model,
      dir: out ?? `models/${model.split('/').at(-1)}`,
      revision,
      all,
      token,
      hubUrl: hubUrl?.replace(/\/+$/, ''),
      onProgress: progressLine(),
      onRetry: (reason, delay) => tell(`${reason}; trying again in ${delay / 1000} s`),
    });
    clearProgress();
    if (json) return printJson(result);
    const total = result.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const fetched = result.readBytes === total ? '' : `, ${megabytes(result.readBytes)} MB of them new`;
    print(
      `${result.dir}: ${counted(result.files.length, 'file')}, ${megabytes(total)} MB${fetched}, commit ${result.commit}`,
    );
  },
};
