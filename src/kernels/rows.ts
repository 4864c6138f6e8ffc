/** How kernels that give a workgroup to each row of a matrix are launched (reductions, softmax, norms). */
import type { Defines, Gpu } from '../gpu/index.js';

/** Workgroup size, and the defines of shaders/common/reduce.wgsl that go with it. */
export interface RowLaunch {
  readonly workgroup: number;
  readonly defines: Defines;
}

/**
 * Chooses the workgroup for rows of `n` elements. A GPU wants about four elements per lane; a software driver runs one
 * subgroup at a time and pays for barriers, so that there a row gets exactly one subgroup.
 */
export function rowLaunch(gpu: Gpu, n: number, perLane = 4): RowLaunch {
  const { software, subgroupSize } = gpu.info;
  const fixed =
    gpu.has.subgroups && subgroupSize && subgroupSize.min === subgroupSize.max ? subgroupSize.max : 0;
  let workgroup = software ? fixed || 16 : 32;
  while (!software && workgroup < 256 && workgroup * perLane < n) workgroup *= 2;
  return {
    workgroup,
    defines: { SUBGROUPS: gpu.has.subgroups, ONE_SUBGROUP: workgroup === fixed },
  };
}
