/** All commands, each a file of this folder. */
import type { CommandModule } from 'yargs';
import { bench } from './bench.js';
import { compare } from './compare.js';
import { config } from './config.js';
import { data } from './data.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { generate } from './generate.js';
import { grpo } from './grpo.js';
import { hub } from './hub.js';
import { init } from './init.js';
import { inspect } from './inspect.js';
import { matrix } from './matrix.js';
import { merge } from './merge.js';
import { page } from './page.js';
import { parity } from './parity.js';
import { phantom } from './phantom.js';
import { plan } from './plan.js';
import { pull } from './pull.js';
import { quantize } from './quantize.js';
import { replay } from './replay.js';
import { report } from './report.js';
import { serve } from './serve.js';
import { sft } from './sft.js';
import { synth } from './synth.js';
import { verify } from './verify.js';
import { watch } from './watch.js';
import { worker } from './worker.js';
import { workers } from './workers.js';

/** In the order of `osler --help`: from first looks to looking at results. */
export const COMMANDS = [
  demo,
  doctor,
  init,
  pull,
  quantize,
  inspect,
  verify,
  replay,
  parity,
  generate,
  serve,
  plan,
  config,
  sft,
  grpo,
  merge,
  evaluate,
  compare,
  matrix,
  data,
  phantom,
  synth,
  report,
  watch,
  hub,
  worker,
  workers,
  bench,
  page,
] as CommandModule[];
