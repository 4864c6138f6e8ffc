// Gradient of RMSNorm or LayerNorm (LAYER) with respect to x[rows, n], from the gradient g of the result:
//   with normal = (x - mean) * rstd and p = g * weight:  dx = rstd * (p - mean(p) - normal * mean(p * normal)),
// without the mean(p) term for RMSNorm. RESIDUAL adds `direct`, the gradient that reaches x by other ways.
// One workgroup per row; HELD as in forward.wgsl.
#define LAYER      // LayerNorm
#define RESIDUAL   // add the gradient `direct`
#define HELD 0..64 // loads per lane kept in registers; 0 where the row is too long
#include "common/vector.wgsl"
#include "norm/gain.wgsl"

// `units` is the row length in V; `inverse` is 1 / n.
struct Params { rows: u32, units: u32, inverse: f32 }
#params Params

var<storage, read> x: array<V>;
var<storage, read> g: array<V>;
var<storage, read> weight: array<Stored>;
var<storage, read> rstd: array<f32>;
var<storage, read_write> dx: array<V>;
#if LAYER
var<storage, read> mean: array<f32>;
#endif
#if RESIDUAL
var<storage, read> direct: array<V>;
#endif

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

fn store(at: u32, value: V) {
#if RESIDUAL
  dx[at] = value + direct[at];
#else
  dx[at] = value;
#endif
}

fn processRow(row: u32, lane: u32) {
  let first = row * params.units;
  let scale = rstd[row];
#if LAYER
  let centre = mean[row];
#else
  let centre = 0.0;
#endif
  var sums = V(0.0);
  var products = V(0.0);
#if HELD
  #for i in 0..HELD
  let at${i} = lane + ${i}u * WORKGROUP;
  let inside${i} = at${i} < params.units;
  let column${i} = min(at${i}, params.units - 1u);
  let p${i} = g[first + column${i}] * gain(column${i});
  let normal${i} = (x[first + column${i}] - centre) * scale;
  sums += select(V(0.0), p${i}, inside${i});
  products += select(V(0.0), p${i} * normal${i}, inside${i});
  #endfor
#else
  for (var at = lane; at < params.units; at += WORKGROUP) {
    let p = g[first + at] * gain(at);
    sums += p;
    products += p * ((x[first + at] - centre) * scale);
  }
#endif
#if LAYER
  let means = workgroupSum2(vec2f(sumOf(sums), sumOf(products)), lane) * params.inverse;
#else
  let means = vec2f(0.0, workgroupSum(sumOf(products), lane) * params.inverse);
#endif
#if HELD
  #for i in 0..HELD
  if (inside${i}) { store(first + at${i}, scale * (p${i} - means.x - normal${i} * means.y)); }
  #endfor
#else
  for (var at = lane; at < params.units; at += WORKGROUP) {
    let p = g[first + at] * gain(at);
    let normal = (x[first + at] - centre) * scale;
    store(first + at, scale * (p - means.x - normal * means.y));
  }
#endif
}
