// y = a OP b under NumPy broadcasting, up to four dimensions. y has sizes d0..d3 (slowest first); s*, t* are the element
// strides of a and b along them, 0 where that operand is repeated. `first` is where this window of y begins.
// DENSE_A, DENSE_B: that operand has y's shape and is cut into the same windows.
#define DENSE_A // a has the shape of y and is cut into the same windows
#define DENSE_B // likewise b

struct Params {
  size: u32, first: u32,
  d1: u32, d2: u32, d3: u32,
  s0: u32, s1: u32, s2: u32, s3: u32,
  t0: u32, t1: u32, t2: u32, t3: u32,
}
#params Params

var<storage, read> a: array<f32>;
var<storage, read> b: array<f32>;
var<storage, read_write> y: array<f32>;

#include "elementwise/walk.wgsl"
#include "elementwise/operator.wgsl"

fn element(at: u32) {
  let i = params.first + at;
  let i3 = i % params.d3;
  let r2 = i / params.d3;
  let i2 = r2 % params.d2;
  let r1 = r2 / params.d2;
  let i1 = r1 % params.d1;
  let i0 = r1 / params.d1;
#if DENSE_A
  let fromA = at;
#else
  let fromA = i0 * params.s0 + i1 * params.s1 + i2 * params.s2 + i3 * params.s3;
#endif
#if DENSE_B
  let fromB = at;
#else
  let fromB = i0 * params.t0 + i1 * params.t1 + i2 * params.t2 + i3 * params.t3;
#endif
  y[at] = apply(a[fromA], b[fromB]);
}
