// RMSNorm, or LayerNorm with LAYER, over the rows of x[rows, n]:
//   y = (x - mean) * rstd * weight (+ bias),  rstd = 1 / sqrt(mean((x - mean)^2) + eps),  mean = 0 for RMSNorm
// RESIDUAL first adds: h = x + residual is written and takes the place of x. mean and rstd are kept for the backward.
// One workgroup per row. HELD loads per lane keep the row in registers, which makes the two-pass variance cost no
// second read; HELD = 0 is for rows too long for that and reads them again.
#define LAYER      // LayerNorm
#define BIAS       // add a bias
#define RESIDUAL   // first add `residual`
#define HELD 0..64 // loads per lane kept in registers; 0 where the row is too long
#include "common/vector.wgsl"
#include "norm/gain.wgsl"

// `units` is the row length in V; `inverse` is 1 / n.
struct Params { rows: u32, units: u32, inverse: f32, eps: f32 }
#params Params

var<storage, read> x: array<V>;
var<storage, read> weight: array<Stored>;
var<storage, read_write> y: array<V>;
var<storage, read_write> rstd: array<f32>;
#if LAYER
var<storage, read_write> mean: array<f32>;
#endif
#if BIAS
var<storage, read> bias: array<Stored>;
#endif
#if RESIDUAL
var<storage, read> residual: array<V>;
var<storage, read_write> h: array<V>;
#endif

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

// The row element at `at`, after the residual addition.
fn element(at: u32) -> V {
#if RESIDUAL
  return x[at] + residual[at];
#else
  return x[at];
#endif
}

fn scaled(normal: V, column: u32) -> V {
#if BIAS
  return normal * gain(column) + decode(bias[storedAt(column)], column);
#else
  return normal * gain(column);
#endif
}

fn processRow(row: u32, lane: u32) {
  let first = row * params.units;
  var centre = 0.0;
  var squares = V(0.0);
#if HELD
  #for i in 0..HELD
  let at${i} = lane + ${i}u * WORKGROUP;
  let inside${i} = at${i} < params.units;
  let v${i} = element(first + min(at${i}, params.units - 1u));
  #endfor
#if LAYER
  var sums = V(0.0);
  #for i in 0..HELD
  sums += select(V(0.0), v${i}, inside${i});
  #endfor
  centre = workgroupSum(sumOf(sums), lane) * params.inverse;
#endif
  #for i in 0..HELD
  {
    let away = v${i} - centre;
    squares += select(V(0.0), away * away, inside${i});
  }
  #endfor
#else
#if LAYER
  var sums = V(0.0);
  for (var at = lane; at < params.units; at += WORKGROUP) { sums += element(first + at); }
  centre = workgroupSum(sumOf(sums), lane) * params.inverse;
#endif
  for (var at = lane; at < params.units; at += WORKGROUP) {
    let away = element(first + at) - centre;
    squares += away * away;
  }
#endif
  let scale = 1.0 / sqrt(workgroupSum(sumOf(squares), lane) * params.inverse + params.eps);
  if (lane == 0u) {
    rstd[row] = scale;
#if LAYER
    mean[row] = centre;
#endif
  }
#if HELD
  #for i in 0..HELD
  if (inside${i}) {
    y[first + at${i}] = scaled((v${i} - centre) * scale, at${i});
#if RESIDUAL
    h[first + at${i}] = v${i};
#endif
  }
  #endfor
#else
  for (var at = lane; at < params.units; at += WORKGROUP) {
    let v = element(first + at);
    y[first + at] = scaled((v - centre) * scale, at);
#if RESIDUAL
    h[first + at] = v;
#endif
  }
#endif
}
