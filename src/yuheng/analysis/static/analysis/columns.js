/**
 * The server's pixels as columns that all curves share. Each pixel with data in any curve gives four x values: first, the
 * extremes in the order that keeps the line short, last. `undefined` means "no value here, go on"; `null` breaks the line.
 */

const PLACES = [0.02, 0.34, 0.66, 0.98];
const GAP_PIXELS = 3;

export function columns(answer, ids, staleS) {
  const pixelS = answer.step_us / 1e6;
  const startS = answer.start_us / 1e6;
  const bySeries = new Map(answer.series.map((series) => [series.tag, series]));
  const used = new Uint8Array(Math.ceil((answer.end_us - answer.start_us) / answer.step_us) + 2);
  const gaps = ids.map((id, i) => {
    const series = bySeries.get(id);
    const most = Math.max(GAP_PIXELS, Math.ceil(staleS[i] / pixelS));
    const found = [];
    if (!series) return found;
    const { pixel } = series;
    for (let k = 0; k < pixel.length; k++) {
      used[pixel[k]] = 1;
      if (k && pixel[k] - pixel[k - 1] > most) { found.push(pixel[k - 1] + 1); used[pixel[k - 1] + 1] = 1; }
    }
    return found;
  });
  const slot = new Int32Array(used.length).fill(-1);
  const xs = [];
  for (let pixel = 0; pixel < used.length; pixel++) {
    if (!used[pixel]) continue;
    slot[pixel] = xs.length;
    for (const place of PLACES) xs.push(startS + (pixel + place) * pixelS);
  }
  const ys = ids.map((id, i) => {
    const column = new Array(xs.length).fill(undefined);
    const series = bySeries.get(id);
    if (!series) return column;
    const { pixel, first, min, max, last, count } = series;
    for (let k = 0; k < pixel.length; k++) {
      const at = slot[pixel[k]];
      if (count[k] === 1) { column[at] = last[k]; continue; }
      const isRising = first[k] <= last[k];
      column[at] = first[k];
      column[at + 1] = isRising ? min[k] : max[k];
      column[at + 2] = isRising ? max[k] : min[k];
      column[at + 3] = last[k];
    }
    for (const pixelOfGap of gaps[i]) if (column[slot[pixelOfGap]] === undefined) column[slot[pixelOfGap]] = null;
    return column;
  });
  const reach = ids.map((_, i) => Math.max(GAP_PIXELS * pixelS, staleS[i]));
  return { xs, ys, reach, pixelS };
}

/** The value that a curve has at a time: the newest one before it, not older than its reach. */
export function nearest(xs, ys, at, reach) {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= at) low = middle + 1;
    else high = middle;
  }
  for (let i = low - 1; i >= 0 && at - xs[i] <= reach; i--) {
    if (ys[i] === null) return null;
    if (ys[i] !== undefined) return ys[i];
  }
  return null;
}
