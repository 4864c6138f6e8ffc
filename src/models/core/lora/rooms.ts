/** Where the matrices of adapters lie on the device. */
import type { Gpu } from '../../../gpu/index.js';
import type { Linear } from '../../../nn/linear.js';
import { emptyStack, type Shape, type Tensor } from '../../../tensor/index.js';

/** The matrices of one module. */
export interface LoraMatrices {
  readonly a: Tensor;
  readonly b: Tensor;
}

/** What will be adapted, by matrices of these shapes. */
export interface AdapterPlan {
  readonly linear: Linear;
  readonly a: Shape;
  readonly b: Shape;
}

/** Room for the matrices of each plan, with nothing in it; those of layers of one stack lie together. */
export function adapterRooms(gpu: Gpu, plans: readonly AdapterPlan[]): LoraMatrices[] {
  const rooms: LoraMatrices[] = [];
  const stackOf = ({ linear }: AdapterPlan) => linear.stack ?? linear.path;
  for (const stack of new Set(plans.map(stackOf))) {
    const members = plans.flatMap((plan, i) => (stackOf(plan) === stack ? [i] : []));
    const [a, b] = (['a', 'b'] as const).map((kind) => {
      const shapes = members.map((i) => plans[i][kind]);
      return emptyStack(gpu, shapes, { purpose: 'weights' }).map((tensor) => tensor.keep());
    });
    members.forEach((i, place) => {
      rooms[i] = { a: a[place], b: b[place] };
    });
  }
  return rooms;
}

/** Frees matrices that no adapter took over. */
export function disposeRooms(rooms: readonly LoraMatrices[]): void {
  for (const { a, b } of rooms) for (const tensor of [a, b]) tensor.dispose();
}
