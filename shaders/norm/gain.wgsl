// The factor of each column of a norm: its weight, or one and its weight where that is stored as a distance from one. The
// including kernel has the buffer `weight`.
#define AROUND_ONE // weights are distances from one
#include "common/weight.wgsl"

fn gain(column: u32) -> V {
#if AROUND_ONE
  return decode(weight[storedAt(column)], column) + V(1.0);
#else
  return decode(weight[storedAt(column)], column);
#endif
}
