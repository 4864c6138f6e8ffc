// How far rows look back: a row sees no key that stands WINDOW or more tokens before it. Where a row's segment does not follow
// its prefix at once, as with several completions of one prompt, the `gap` tokens between the two do not count.
#define WINDOWED // rows look back on WINDOW tokens, themselves among them, and not on all
#if WINDOWED
override WINDOW: u32;
#endif

// The first key that a row sees.
fn firstSeen(row: u32, gap: u32) -> u32 {
#if WINDOWED
  return row + 1u - min(row + 1u, WINDOW + gap);
#else
  return 0u;
#endif
}

// The first of the keys [begin, end) that rows from `row` on see; `end` where they see none.
fn firstWithin(begin: u32, end: u32, row: u32, gap: u32) -> u32 {
#if WINDOWED
  return min(max(begin, firstSeen(row, gap)), end);
#else
  return begin;
#endif
}

// The first row behind a key that does not see it any more.
fn endOfSight(key: u32, gap: u32) -> u32 {
#if WINDOWED
  return key + WINDOW + gap;
#else
  return 0xffffffffu;
#endif
}
