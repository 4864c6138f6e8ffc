/**
 * What examples name, as tiny stand-ins. What an example needs is told by where it names it: after `--model` stands a model,
 * whatever it is called, so that a new example needs nothing here.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { parse, stringify } from 'yaml';
import { MODALITIES } from '../../dist/data/modalities.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const fixtures = path.join(root, 'kernels-tests', 'fixtures');

const BY_OPTION = {
  '--model': 'model',
  '--adapter': 'adapter',
  '--config': 'config',
  '--recipe': 'config',
  '--data': 'questions',
  '--test': 'questions',
  '--paper-split': 'questions',
  '--base': 'evaluation',
  '--fixture': 'fixture',
  '--inputs': 'inputs',
  '--input': 'prompts',
  '--image': 'picture',
  '--token-file': 'token',
};
/** Of the words right after a command's name. */
const BY_COMMAND = {
  inspect: 'model',
  quantize: 'model',
  verify: 'result',
  replay: 'run',
  report: 'result',
  watch: 'run',
  compare: 'evaluation',
  matrix: 'result',
  config: 'config',
  data: 'questions',
};
/** Settings that name files. */
const BY_SETTING = {
  model_name_or_path: 'model',
  train_dataset: 'questions',
  eval_dataset: 'questions',
};

/** Makes what stand-ins are copied from, with `osler` itself. */
export async function makeKit(folder, osler) {
  const at = (...names) => path.join(folder, ...names);
  const model = path.join(root, 'recipes', 'demo', 'checkpoint');
  const kinds = [
    '--modality',
    'CT',
    'MRI',
    '--question-type',
    'Modality Recognition',
    'Anatomy Identification',
  ];
  const look = ['--size', '84', '--difficulty', 'easy', '--wording', 'short'];
  await osler(['phantom', '--out', at('drawn'), '--n', '8', ...kinds, ...look]);
  makeQuestions(at('drawn'));
  const data = at('drawn', 'questions.jsonl');
  const asked = ['--model', model, '--data', data, '--max-new-tokens', '4'];
  await osler(['eval', ...asked, '--out', at('evaluation')]);
  const settings = { model_name_or_path: model, train_dataset: data, output_dir: at('run'), use_peft: true };
  fs.writeFileSync(at('grpo.yaml'), stringify({ ...settings, lora_r: 2, modalities: ['CT'] }));
  await osler(['grpo', '--config', at('grpo.yaml')]);
  fs.cpSync(at('evaluation'), at('run', 'eval', 'end'), { recursive: true });
  return { at, model };
}

/** The drawn questions as Osler, Med-R1 and MMMU-Pro write them; as OmniMedVQA is published, they are there already. */
function makeQuestions(drawn) {
  const file = path.join(drawn, 'questions.jsonl');
  const lines = fs.readFileSync(file, 'utf8').trim().split('\n');
  const questions = lines.map((line) => JSON.parse(line));
  const medR1 = questions.map(({ image, question, options, answer }) => ({
    image,
    problem: `${question} ${Object.entries(options)
      .map(([letter, text]) => `${letter})${text}`)
      .join(', ')}`,
    solution: `<answer> ${answer} </answer>`,
  }));
  fs.writeFileSync(path.join(drawn, 'questions.json'), JSON.stringify(medR1));
  const mmmu = {
    ...{ id: ({ id }) => id, question: ({ question }) => question, answer: ({ answer }) => answer },
    options: ({ options }) => JSON.stringify(Object.values(options)),
    subject: () => 'Clinical_Medicine',
    image_1: ({ image }) => new Uint8Array(fs.readFileSync(path.join(drawn, image))),
  };
  const columnData = Object.entries(mmmu).map(([name, cell]) => ({
    ...{ name, data: questions.map(cell), type: name === 'image_1' ? 'BYTE_ARRAY' : 'STRING' },
  }));
  fs.writeFileSync(path.join(drawn, 'questions.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })));
}

/** Puts what these words of an `osler` command line name into the working folder. */
export async function placeStandIns(words, kit) {
  for (const { file, kind, i } of named(words)) {
    if (fs.existsSync(file)) continue;
    fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    await PLACE[kind](file, kit, { words, i });
  }
}

/** Files that the words name, each with its kind, and as the how manieth of its kind. */
function* named(words) {
  const [command, ...rest] = words;
  const first = rest.findIndex((word) => word.startsWith('--'));
  const positionals = first < 0 ? rest : rest.slice(0, first);
  const kind = BY_COMMAND[command];
  for (const [i, word] of positionals.slice(command === 'data' ? 1 : 0).entries()) {
    if (kind) yield { file: word.replace(/^[^=/]+=/, ''), kind: word.includes('=') ? 'evaluation' : kind, i };
  }
  for (const [i, word] of rest.entries()) {
    const value = rest[i + 1];
    if (word === '--set') {
      const [, name, file] = /^(\w+)=(.*)$/.exec(value);
      if (name in BY_SETTING) yield { file, kind: BY_SETTING[name], i };
    } else if (word in BY_OPTION && !(word === '--model' && words.includes('--endpoint'))) {
      // Evaluations have a base, and so have adapters.
      const kind = command === 'merge' && word === '--base' ? 'model' : BY_OPTION[word];
      yield { file: value, kind, i };
    }
  }
}

const link = (target) => (file) => fs.symlinkSync(target, file.replace(/\/$/, ''));
const copy = (from, to) => fs.cpSync(from, to, { recursive: true });

const PLACE = {
  model: (file, { model }, { words }) => {
    // Fixtures were made with this one.
    const bare = words.includes('--fixture') || words.includes('--inputs');
    const folder = bare ? path.join(fixtures, 'models', 'qwen2-vl') : model;
    link(file.endsWith('.safetensors') ? path.join(folder, 'model.safetensors') : folder)(file);
  },
  fixture: link(path.join(fixtures, 'models', 'qwen2-vl.forward.safetensors')),
  inputs: link(path.join(fixtures, 'models', 'qwen2-vl.forward.safetensors')),
  token: (file) => fs.writeFileSync(file, 'a token of the examples\n'),
  adapter: (file, { at }) => copy(at('run', 'checkpoints', 'step-000001'), file),
  picture: (file) =>
    sharp({ create: { width: 84, height: 84, channels: 3, background: 'teal' } }).toFile(file),
  prompts: (file) => fs.writeFileSync(file, '{"prompt": "Hi"}\n{"prompt": "What is shown?"}\n'),
  evaluation: (file, { at }) => copy(at('evaluation'), file),
  /** What a run left, by where it is. */
  result: (file, kit, how) => {
    const kind = /^evals/.test(file) ? 'evaluation' : /checkpoints\/step-\d+$/.test(file) ? 'adapter' : 'run';
    return PLACE[kind](file, kit, how);
  },
  run: (file, { at }, { i }) => {
    copy(at('run'), file);
    const config = path.join(file, 'config.yaml');
    const settings = parse(fs.readFileSync(config, 'utf8'));
    fs.writeFileSync(config, stringify({ ...settings, modalities: [MODALITIES[i]] }));
  },
  questions: (file, { at }) => {
    const { ext } = path.parse(file);
    // Without an ending it is the folder of OmniMedVQA.
    const [to, names] = ext === '' ? [file, ['QA_information']] : [path.dirname(file), []];
    for (const name of ['Images', ...names]) copy(at('drawn', name), path.join(to, name));
    if (ext !== '') copy(at('drawn', `questions${ext}`), file);
  },
  /** A recipe of the repository, or settings of our own; and what they name. */
  config: async (file, kit) => {
    const known = path.join(root, file);
    const own = { model_name_or_path: 'model', train_dataset: 'train.jsonl', output_dir: 'run' };
    const text = fs.existsSync(known) ? fs.readFileSync(known, 'utf8') : stringify(own);
    fs.writeFileSync(file, text);
    const sets = Object.entries(parse(text)).filter(([name]) => name in BY_SETTING);
    await placeStandIns(['grpo', ...sets.flatMap(([name, value]) => ['--set', `${name}=${value}`])], kit);
  },
};
