// Gradient of softmax from its result y[rows, n] and the gradient g of y: dx = y * (g - sum(g * y)); with LOG that of
// log-softmax: dx = g - exp(y) * sum(g). One workgroup per row; HELD as in forward.wgsl.
#define LOG        // of log-softmax
#define HELD 0..64 // loads per lane kept in registers; 0 where the row is too long
#include "common/vector.wgsl"

// `units` is the row length in V.
struct Params { rows: u32, units: u32 }
#params Params

var<storage, read> y: array<V>;
var<storage, read> g: array<V>;
var<storage, read_write> dx: array<V>;

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

fn processRow(row: u32, lane: u32) {
  let first = row * params.units;
  var sums = V(0.0);
#if HELD
  let last = first + params.units - 1u;
  #for i in 0..HELD
  let at${i} = first + lane + ${i}u * WORKGROUP;
  let y${i} = y[min(at${i}, last)];
  let g${i} = g[min(at${i}, last)];
#if LOG
  sums += select(V(0.0), g${i}, at${i} <= last);
#else
  sums += select(V(0.0), g${i} * y${i}, at${i} <= last);
#endif
  #endfor
  let total = workgroupSum(sumOf(sums), lane);
  #for i in 0..HELD
#if LOG
  if (at${i} <= last) { dx[at${i}] = g${i} - exp(y${i}) * total; }
#else
  if (at${i} <= last) { dx[at${i}] = y${i} * (g${i} - total); }
#endif
  #endfor
#else
  let end = first + params.units;
  for (var at = first + lane; at < end; at += WORKGROUP) {
#if LOG
    sums += g[at];
#else
    sums += g[at] * y[at];
#endif
  }
  let total = workgroupSum(sumOf(sums), lane);
  for (var at = first + lane; at < end; at += WORKGROUP) {
#if LOG
    dx[at] = g[at] - exp(y[at]) * total;
#else
    dx[at] = y[at] * (g[at] - total);
#endif
  }
#endif
}
