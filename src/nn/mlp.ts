/** Feed-forward blocks. */
import { swiglu } from '../autograd/index.js';
import type { Tensor } from '../tensor/index.js';
import type { DropoutStep, Linear } from './linear.js';
import type { Norm } from './norm.js';
import { project, projectGated } from './step.js';

/** Anything that maps rows to rows of the same width. */
export interface Block {
  /** Applies it, and adds `residual` to what it gives. */
  forward(x: Tensor, masks?: DropoutStep, residual?: Tensor): Tensor;
  /** Applies it to `norm(x)` in a step of generation. */
  step?(x: Tensor, norm: Norm, residual?: Tensor): Tensor;
}

/** `down(gated(gate(x), up(x)))`. */
export class GatedMlp implements Block {
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
  readonly gated: (gate: Tensor, up: Tensor) => Tensor;

  /** `gated` is `silu(gate) * up` by default. */
  constructor(gate: Linear, up: Linear, down: Linear, gated: (gate: Tensor, up: Tensor) => Tensor = swiglu) {
    this.gate = gate;
    this.up = up;
    this.down = down;
    this.gated = gated;
  }

  /** Applies the block. */
  forward(x: Tensor, masks?: DropoutStep, residual?: Tensor): Tensor {
    const wide = this.gated(this.gate.forward(x, masks), this.up.forward(x, masks));
    return this.down.forward(wide, masks, residual);
  }

  /** Applies the block to `norm(x)` in a step of generation. */
  step(x: Tensor, norm: Norm, residual?: Tensor): Tensor {
    if (this.gated !== swiglu) return this.forward(norm.forward(x), undefined, residual);
    return project(this.down, projectGated(this.gate, this.up, x, norm), residual);
  }
}

/** `second(activation(first(x)))`. */
export class PlainMlp implements Block {
  readonly first: Linear;
  readonly second: Linear;
  readonly activation: (x: Tensor) => Tensor;

  constructor(first: Linear, second: Linear, activation: (x: Tensor) => Tensor) {
    this.first = first;
    this.second = second;
    this.activation = activation;
  }

  /** Applies the block. */
  forward(x: Tensor, masks?: DropoutStep, residual?: Tensor): Tensor {
    return this.second.forward(this.activation(this.first.forward(x, masks)), masks, residual);
  }
}
