/**
 * Draws media/icon.png: eight lanes run into one caret, and fade out behind it as ghost text does.
 * Usage: node media/icon.mjs
 */
import { writeFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

const SIZE = 256;
/** Samples a pixel and axis, for smooth edges. */
const SAMPLES = 4;

const BACKGROUND = [
  [21, 27, 54],
  [12, 16, 32],
];
const LANES = [
  [94, 234, 212],
  [99, 160, 255],
];
const CARET = [255, 255, 255];

/** Signed distance to a rectangle with rounded corners, around (x, y) with half extents (w, h). */
const roundedBox = (px, py, x, y, w, h, radius) => {
  const dx = Math.abs(px - x) - w + radius;
  const dy = Math.abs(py - y) - h + radius;
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
};

const mix = (from, to, share) => from.map((value, index) => value + (to[index] - value) * share);

/** Lane l: starts at its own column, ends at the caret; a shorter, faint piece follows behind the caret. */
const lanes = Array.from({ length: 8 }, (_, lane) => ({
  y: 58 + lane * 20,
  left: [60, 40, 72, 48, 44, 76, 40, 64][lane],
  right: [214, 190, 222, 200, 176, 216, 196, 206][lane],
}));
const CARET_X = 150;

/** Colour (r, g, b, a), 0..255, at a point. */
function colourAt(x, y) {
  if (roundedBox(x, y, 128, 128, 128, 128, 56) > 0) return [0, 0, 0, 0];
  let colour = mix(BACKGROUND[0], BACKGROUND[1], y / SIZE);
  for (const lane of lanes) {
    const tint = mix(LANES[0], LANES[1], (lane.y - 58) / 140);
    const before = roundedBox(x, y, (lane.left + CARET_X - 14) / 2, lane.y, (CARET_X - 14 - lane.left) / 2, 5, 5);
    const behind = roundedBox(x, y, (CARET_X + 14 + lane.right) / 2, lane.y, (lane.right - CARET_X - 14) / 2, 5, 5);
    if (before <= 0) colour = mix(colour, tint, 0.55 + (0.45 * (x - lane.left)) / (CARET_X - lane.left));
    if (behind <= 0) colour = mix(colour, [200, 210, 235], 0.34 * (1 - (x - CARET_X) / 110));
  }
  const caret = roundedBox(x, y, CARET_X, 128, 5, 92, 5);
  if (caret <= 0) colour = CARET;
  else colour = mix(colour, LANES[0], 0.38 * Math.exp(-caret / 9));
  return [...colour, 255];
}

function pixel(column, row) {
  const sum = [0, 0, 0, 0];
  for (let index = 0; index < SAMPLES ** 2; index++) {
    const x = column + ((index % SAMPLES) + 0.5) / SAMPLES;
    const y = row + (Math.floor(index / SAMPLES) + 0.5) / SAMPLES;
    const [r, g, b, a] = colourAt(x, y);
    for (const [channel, value] of [(r * a) / 255, (g * a) / 255, (b * a) / 255, a].entries()) sum[channel] += value;
  }
  const alpha = sum[3] / SAMPLES ** 2;
  const share = alpha === 0 ? 0 : 255 / alpha / SAMPLES ** 2;
  return [sum[0] * share, sum[1] * share, sum[2] * share, alpha].map(Math.round);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

const rows = Buffer.alloc(SIZE * (SIZE * 4 + 1));
for (let row = 0; row < SIZE; row++) {
  for (let column = 0; column < SIZE; column++) {
    rows.set(pixel(column, row), row * (SIZE * 4 + 1) + 1 + column * 4);
  }
}
const header = Buffer.alloc(13);
header.writeUInt32BE(SIZE, 0);
header.writeUInt32BE(SIZE, 4);
header.set([8, 6, 0, 0, 0], 8);
const png = Buffer.concat([
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  chunk('IHDR', header),
  chunk('IDAT', deflateSync(rows, { level: 9 })),
  chunk('IEND', Buffer.alloc(0)),
]);
writeFileSync(new URL('icon.png', import.meta.url), png);
