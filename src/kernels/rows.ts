/** How kernels that give a workgroup to each row of a matrix are launched (reductions, softmax, norms). */
import type { Defines, Gpu } from '../gpu/index.js';
import type { Tensor } from '../tensor/index.js';
import { fold, part, windows } from './support.js';

/** Workgroup size, and the defines of shaders/common/reduce.wgsl that go with it. */
export interface RowLaunch {
  readonly workgroup: number;
  readonly defines: Defines;
}

/**
 * Chooses the workgroup for rows that are `loads` loads long. A GPU wants about `perLane` loads per lane; a software
 * driver runs one subgroup at a time and pays for barriers, so that there a row gets exactly one subgroup.
 */
export function rowLaunch(gpu: Gpu, loads: number, perLane = 4): RowLaunch {
  const { software, subgroupSize } = gpu.info;
  const fixed =
    gpu.has.subgroups && subgroupSize && subgroupSize.min === subgroupSize.max ? subgroupSize.max : 0;
  let workgroup = software ? fixed || 16 : 32;
  while (!software && workgroup < 256 && workgroup * perLane < loads) workgroup *= 2;
  return {
    workgroup,
    defines: { SUBGROUPS: gpu.has.subgroups, ONE_SUBGROUP: workgroup === fixed },
  };
}

/** A launch in which each lane may keep its share of the row in registers. */
export interface HeldRowLaunch extends RowLaunch {
  /** Row length in loads: vectors of four where the row allows it. */
  readonly units: number;
}

/**
 * Chooses vector loads and the number of loads per lane to hold in registers (`HELD`; 0 where the row is too long), for
 * kernels that hold `copies` rows. Software drivers keep them on the stack, which is still far cheaper than loading again.
 */
export function heldRowLaunch(gpu: Gpu, n: number, copies = 1): HeldRowLaunch {
  const vector = n % 4 === 0;
  const units = vector ? n / 4 : n;
  const { workgroup, defines } = rowLaunch(gpu, units, vector ? 2 : 4);
  const held = Math.ceil(units / workgroup);
  const most = (gpu.info.software ? 64 : vector ? 8 : 16) / copies;
  return { workgroup, units, defines: { ...defines, VEC4: vector, HELD: held <= most ? held : 0 } };
}

/** Launches such a kernel over equally shaped matrices of rows of n elements, window by window. */
export function launchHeldRows(
  path: string,
  n: number,
  tensors: Readonly<Record<string, Tensor>>,
  defines: Defines,
): void {
  const list = Object.values(tensors);
  const { gpu } = list[0];
  const rows = list[0].size / n;
  const launch = heldRowLaunch(gpu, n, list.length - 1);
  const shares = list.map((tensor) => ({ tensor, elementsPerItem: n }));
  for (const { first, count } of windows(gpu, rows, shares)) {
    const bindings = Object.fromEntries(
      Object.entries(tensors).map(([name, t]) => [name, part(t, first * n, count * n)]),
    );
    gpu.launch(
      path,
      bindings,
      { rows: count, units: launch.units },
      {
        groups: fold(gpu, count),
        defines: { ...defines, ...launch.defines },
        constants: { WORKGROUP: launch.workgroup },
      },
    );
  }
}
