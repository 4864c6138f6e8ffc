/** Softmax and log-softmax over the last axis. */
import { empty, type Tensor } from '../tensor/index.js';
import { launchHeldRows } from './rows.js';
import { checkDevice, checkDtype, checkSame } from './support.js';

/** Which of the two functions. */
export type SoftmaxKind = 'softmax' | 'logSoftmax';

/** Softmax or log-softmax over the last axis. */
export function softmaxForward(kind: SoftmaxKind, x: Tensor): Tensor {
  checkDtype(kind, 'x', x, 'f32');
  const n = x.dim(-1);
  const y = empty(x.gpu, x.shape);
  launchHeldRows('softmax/forward', { n, matrices: { x, y }, defines: { LOG: kind === 'logSoftmax' } });
  return y;
}

/** Gradient of x from the result y and the gradient of y. */
export function softmaxBackward(kind: SoftmaxKind, y: Tensor, gradient: Tensor): Tensor {
  const gpu = checkDevice(kind, y, gradient);
  checkSame(kind, y, gradient);
  checkDtype(kind, 'y', y, 'f32');
  checkDtype(kind, 'the gradient', gradient, 'f32');
  const dx = empty(gpu, y.shape);
  launchHeldRows('softmax/backward', {
    n: y.dim(-1),
    copies: 2,
    matrices: { y, g: gradient, dx },
    defines: { LOG: kind === 'logSoftmax' },
  });
  return dx;
}
