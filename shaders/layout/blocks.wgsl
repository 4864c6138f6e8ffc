// Copies `size / width` blocks of `width` words between two strides:
//   y[yStart + block * yStride + k] = x[xStart + block * xStride + k].
// Slices, concatenations and their gradients are all this. With ZERO the blocks of y become zeros and there is no x.
#define ZERO // write zeros, read nothing

struct Params { size: u32, width: u32, xStart: u32, xStride: u32, yStart: u32, yStride: u32 }
#params Params

#include "layout/word.wgsl"

#if ZERO
var<storage, read_write> y: array<Word>;
#else
var<storage, read> x: array<Word>;
var<storage, read_write> y: array<Word>;
#endif

#include "elementwise/walk-rows.wgsl"

fn element(block: u32, k: u32) {
#if ZERO
  y[params.yStart + block * params.yStride + k] = Word(0u);
#else
  y[params.yStart + block * params.yStride + k] = x[params.xStart + block * params.xStride + k];
#endif
}
