/** Feed-forward blocks. */
import type { GatedOp } from '../kernels/activation.js';
import type { Tensor } from '../tensor/index.js';
import type { DropoutStep, Linear } from './linear.js';
import type { Norm } from './norm.js';
import { GATES, project, projectGated } from './step.js';

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
  readonly gated: GatedOp;

  /** `gated` is `silu(gate) * up` by default. */
  constructor(gate: Linear, up: Linear, down: Linear, gated: GatedOp = 'swiglu') {
    this.gate = gate;
    this.up = up;
    this.down = down;
    this.gated = gated;
  }

  /** Applies the block. */
  forward(x: Tensor, masks?: DropoutStep, residual?: Tensor): Tensor {
    const wide = GATES[this.gated](this.gate.forward(x, masks), this.up.forward(x, masks));
    return this.down.forward(wide, masks, residual);
  }

  /** Applies the block to `norm(x)` in a step of generation. */
  step(x: Tensor, norm: Norm, residual?: Tensor): Tensor {
    return project(this.down, projectGated(this.gated, this.gate, this.up, x, norm), residual);
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
