// Softmax (or, with LOG, log-softmax) over the rows of x[rows, n]: one workgroup per row, lanes on consecutive elements.
// A row that fits is read once and held in registers, HELD loads per lane; HELD = 0 reads longer rows three times (they
// come from the cache). The held form is what both GPUs and software drivers like: on the latter a load costs as much as
// a dozen multiply-adds, also when the line is cached.
// A NaN, a +inf, or nothing but -inf in a row makes the row NaN, as in PyTorch.
#define LOG        // log-softmax
#define HELD 0..64 // loads per lane kept in registers; 0 where the row is too long
#include "common/vector.wgsl"

// `units` is the row length in V.
struct Params { rows: u32, units: u32 }
#params Params

var<storage, read> x: array<V>;
var<storage, read_write> y: array<V>;

#include "common/rows.wgsl"
#include "common/reduce.wgsl"

// The sum over the row; NaN where it is infinite, which exp of NaN may be (as on SwiftShader), so that all of the row is.
fn totalOf(sums: V, lane: u32) -> f32 {
  let bits = bitcast<u32>(workgroupSum(sumOf(sums), lane));
  // Infinity's bits and one more.
  return bitcast<f32>(bits | select(0u, 1u, (bits & 0x7f800000u) == 0x7f800000u));
}

fn processRow(row: u32, lane: u32) {
  let first = row * params.units;
#if HELD
  // Lanes past the end of the row hold its last element: it does not disturb the maximum, and sums leave it out.
  let last = first + params.units - 1u;
  #for i in 0..HELD
  let at${i} = first + lane + ${i}u * WORKGROUP;
  var v${i} = x[min(at${i}, last)];
  #endfor
  var largest = v0;
  #for i in 1..HELD
  largest = max(largest, v${i});
  #endfor
  let top = workgroupMax(maxOf(largest), lane);
  var sums = V(0.0);
  #for i in 0..HELD
#if LOG
  v${i} -= top;
  sums += select(V(0.0), exp(v${i}), at${i} <= last);
#else
  v${i} = exp(v${i} - top);
  sums += select(V(0.0), v${i}, at${i} <= last);
#endif
  #endfor
  let total = totalOf(sums, lane);
#if LOG
  let shift = log(total);
#else
  let scale = 1.0 / total;
#endif
  #for i in 0..HELD
#if LOG
  if (at${i} <= last) { y[at${i}] = v${i} - shift; }
#else
  if (at${i} <= last) { y[at${i}] = v${i} * scale; }
#endif
  #endfor
#else
  let end = first + params.units;
  var largest = x[first];
  for (var at = first + lane; at < end; at += WORKGROUP) { largest = max(largest, x[at]); }
  let top = workgroupMax(maxOf(largest), lane);
  var sums = V(0.0);
  for (var at = first + lane; at < end; at += WORKGROUP) { sums += exp(x[at] - top); }
  let total = totalOf(sums, lane);
#if LOG
  let shift = top + log(total);
  for (var at = first + lane; at < end; at += WORKGROUP) { y[at] = x[at] - shift; }
#else
  let scale = 1.0 / total;
  for (var at = first + lane; at < end; at += WORKGROUP) { y[at] = exp(x[at] - top) * scale; }
#endif
#endif
}
