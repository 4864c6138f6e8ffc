/** AdamW with moments in 8 bits, and with bf16 parameters that need no master copy. */
import { type Bindable, check } from '../gpu/index.js';
import { FLOATS, type Tensor } from '../tensor/index.js';
import { MOMENT_BLOCK, MOMENT_WORDS } from './moments.js';
import { type AdamWOptions, adamwFactors, type Trainable } from './optimizer.js';
import { type RandomStream, streamParams } from './random.js';
import { rowLaunch } from './rows.js';
import { ceilDiv, checkDevice, checkDtype, checkSame, checkShapeIs, fold, part, windows } from './support.js';

/** A parameter with its moments. bf16 parameters without a master are rounded at random. */
export interface AdamW8bitTensors extends Trainable {
  /** As `zeroMoments` gives them before the first step. */
  readonly moments: Tensor;
}

/** Options of {@link adamw8bit}. */
export interface AdamW8bitOptions extends AdamWOptions {
  /** What `momentTables` gives. */
  readonly tables: Tensor;
  /** Address of the random numbers that a bf16 parameter without a master is rounded by. */
  readonly rounding?: RandomStream;
}

/** One AdamW step, in place on the parameter (and its master) and the moments. Do not replay a recording of it. */
export function adamw8bit(tensors: AdamW8bitTensors, options: AdamW8bitOptions): void {
  const op = 'adamw8bit';
  const { param, grad, master, moments } = tensors;
  const { tables, control, rounding, gradScale = 1 } = options;
  const factors = adamwFactors(op, options);
  const random = param.dtype === 'bf16' && master === undefined;
  const gpu = checkDevice(op, ...Object.values(tensors), tables, ...(control ? [control] : []));
  checkDtype(op, 'param', param, ...FLOATS);
  checkDtype(op, 'grad', grad, 'f32');
  checkDtype(op, 'moments', moments, 'u32');
  checkSame(op, param, grad);
  const blocks = ceilDiv(param.size, MOMENT_BLOCK);
  checkShapeIs(op, 'moments', moments, [blocks, MOMENT_WORDS]);
  checkShapeIs(op, 'tables', tables, [1024]);
  check(param.dtype !== 'f16' || master !== undefined, 'dtype', () => {
    return `${op}: parameter ${param.describe()} needs an f32 master copy; only bf16 can do without`;
  });
  check(param.dtype !== 'f32' || master === undefined, 'dtype', () => {
    return `${op}: parameter ${param.describe()} needs no master copy`;
  });
  if (master) {
    checkSame(op, param, master);
    checkDtype(op, 'master', master, 'f32');
  }
  check(!random || rounding !== undefined, 'value', () => {
    return `${op}: parameter ${param.describe()} has no master copy, so it needs random numbers to be rounded by; pass rounding`;
  });
  const bound = { g: grad, p: master ?? param, ...(master ? { stored: param } : {}) };
  const shares = [
    ...Object.values(bound).map((tensor) => ({ tensor, elementsPerItem: MOMENT_BLOCK })),
    { tensor: moments, elementsPerItem: MOMENT_WORDS },
  ];
  const { workgroup, defines } = rowLaunch(gpu, MOMENT_BLOCK / 4, 1);
  for (const { first, count } of windows(gpu, blocks, shares)) {
    const from = first * MOMENT_BLOCK;
    const size = Math.min(count * MOMENT_BLOCK, param.size - from);
    const bindings: Record<string, Bindable> = {
      tables,
      moments: part(moments, first * MOMENT_WORDS, count * MOMENT_WORDS),
      ...(control ? { control } : {}),
    };
    for (const [name, tensor] of Object.entries(bound)) bindings[name] = part(tensor, from, size);
    const address = random && rounding ? { first: from / 4, ...streamParams(rounding) } : {};
    gpu.launch(
      'optimizer/adamw-8bit',
      bindings,
      { size, blocks: count, scale: gradScale, ...factors, ...address },
      {
        groups: fold(gpu, count),
        defines: {
          ...defines,
          QUADS: MOMENT_BLOCK / 4 / workgroup,
          VEC4: size % 4 === 0,
          CONTROL: control !== undefined,
          RANDOM: random,
          STORED: master ? param.dtype : 'f32',
        },
        constants: { WORKGROUP: workgroup },
      },
    );
  }
}
