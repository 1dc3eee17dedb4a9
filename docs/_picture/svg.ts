/** Draws frames of a terminal as an SVG that plays once. Without animation it shows the last frame. */

import { COLUMNS, type Frame } from "./record.ts";
import { plain, type Run } from "./screen.ts";

const FONT_SIZE = 14;
const CELL_WIDTH = 8.4;
const CELL_HEIGHT = 20;
const PADDING = 20;
const BAR_HEIGHT = 36;

const STYLE = `
text{font:${FONT_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d7dce5;white-space:pre}
.title{font:13px system-ui,sans-serif;fill:#8b94a7;text-anchor:middle}
.bold{font-weight:700;fill:#f3f5f9}.dim,.grey{fill:#8b94a7}.red{fill:#ff8080}.green{fill:#8fd694}.yellow{fill:#f2cc6b}.cyan{fill:#79d0e8}
path{stroke:#667088;fill:none}.bar{fill:#79d0e8}.rest{fill:#2d3446}
.on{animation:on .01s both}.while{opacity:0;animation:while 1s}.cover{opacity:0;fill:#171b26;animation:cover 1s}
@keyframes on{from{opacity:0}}
@keyframes while{from,to{opacity:1}}
@keyframes cover{from{opacity:1}to{opacity:1;transform:translateX(var(--w))}}
@media(prefers-reduced-motion:reduce){.on,.while,.cover{animation:none}}
`.trim();

/** The lines that a character of a frame consists of: from the middle of its cell to the left, right, top and bottom. */
const LINES: Readonly<Record<string, string>> = {
  "─": "lr",
  "│": "tb",
  "┌": "rb",
  "┐": "lb",
  "└": "rt",
  "┘": "lt",
  "├": "tbr",
  "┤": "tbl",
  "┬": "lrb",
  "┴": "lrt",
  "┼": "lrtb",
};

/** The picture. */
export function draw(frames: readonly Frame[], title: string): string {
  const last = frames.at(-1)!;
  const rows = last.rows.length;
  const width = round(2 * PADDING + COLUMNS * CELL_WIDTH);
  const height = BAR_HEIGHT + PADDING + rows * CELL_HEIGHT;
  const text = last.rows.map((row) => plain(row)).join("\n");
  const lines = Array.from({ length: rows }, (_, row) => drawRow(frames, row));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t d">
<title id="t">${escape(title)}</title>
<desc id="d">${escape(text)}</desc>
<style>${STYLE}</style>
<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="10" fill="#171b26" stroke="#3a4257"/>
<circle cx="22" cy="19" r="6" fill="#ff6e67"/><circle cx="42" cy="19" r="6" fill="#f2cc6b"/><circle cx="62" cy="19" r="6" fill="#6cc679"/>
<text class="title" x="${width / 2}" y="24">${escape(title)}</text>
${lines.filter((line) => line !== "").join("\n")}
${drawCursor(last)}
</svg>
`;
}

/** One row through all frames: what it held for a while, and what it holds at the end. */
function drawRow(frames: readonly Frame[], row: number): string {
  const parts: string[] = [];
  let held: Run[] = [];
  let from = 0;
  let cover = "";
  const put = (to: number | undefined): void => {
    if (held.length === 0) return;
    const timing = to === undefined
      ? `class="on" style="animation-delay:${from}s"`
      : `class="while" style="animation-delay:${from}s;animation-duration:${round(to - from)}s"`;
    parts.push(`<g ${timing}>${held.map((run) => drawRun(run, row)).join("")}${cover}</g>`);
  };
  for (const { rows, at, typing } of frames) {
    const next = rows[row] ?? [];
    if (JSON.stringify(next) === JSON.stringify(held)) continue;
    put(at);
    const known = plain(held).length;
    cover = typing > 0 ? drawCover(row, known === 0 ? 0 : known + 1, plain(next).length, at, typing) : "";
    held = [...next];
    from = at;
  }
  put(undefined);
  return parts.join("");
}

function drawRun({ text, column, look }: Run, row: number): string {
  const parts: string[] = [];
  // What fonts do not agree on is drawn; the rest is set cell by cell.
  for (const { 0: piece, index } of text.matchAll(/[─│┌┐└┘├┤┬┴┼]+|█+|░+|[^─│┌┐└┘├┤┬┴┼█░]+/gu)) {
    const x = round(PADDING + (column + index) * CELL_WIDTH);
    const y = BAR_HEIGHT + row * CELL_HEIGHT;
    const length = round(piece.length * CELL_WIDTH);
    if (LINES[piece[0]!] !== undefined) parts.push(drawFrame(piece, x, y));
    else if (/[█░]/.test(piece)) {
      const kind = piece[0] === "█" ? "bar" : "rest";
      parts.push(`<rect class="${kind}" x="${x}" y="${y + 4}" width="${length}" height="12"/>`);
    } else if (piece.trim() !== "") {
      const lead = piece.length - piece.trimStart().length;
      const shown = piece.trim();
      const at = round(x + lead * CELL_WIDTH);
      const kind = look === "" ? "" : ` class="${look}"`;
      parts.push(
        `<text${kind} x="${at}" y="${y + 15}" textLength="${round(shown.length * CELL_WIDTH)}">${
          escape(shown)
        }</text>`,
      );
    }
  }
  return parts.join("");
}

function drawFrame(piece: string, x: number, y: number): string {
  const middle = y + CELL_HEIGHT / 2;
  let across = "";
  let down = "";
  let end: number | undefined;
  for (const [index, character] of [...piece].entries()) {
    const left = round(x + index * CELL_WIDTH);
    const centre = round(left + CELL_WIDTH / 2);
    const sides = LINES[character]!;
    const from = sides.includes("l") ? left : centre;
    const to = sides.includes("r") ? round(left + CELL_WIDTH) : centre;
    if (from !== to) across += from === end ? `H${to}` : `M${from} ${middle}H${to}`;
    end = to;
    const top = sides.includes("t") ? y : middle;
    const bottom = sides.includes("b") ? y + CELL_HEIGHT : middle;
    if (top !== bottom) down += `M${centre} ${top}V${bottom}`;
  }
  // One line instead of one for each cell.
  return `<path d="${across.replace(/(?:H[\d.]+)+(?=H)/g, "")}${down}"/>`;
}

/** Hides what is being typed, key by key. */
function drawCover(row: number, from: number, to: number, at: number, seconds: number): string {
  const keys = to - from;
  const x = round(PADDING + from * CELL_WIDTH);
  const width = round(keys * CELL_WIDTH);
  const y = BAR_HEIGHT + row * CELL_HEIGHT;
  const timing = `--w:${width}px;animation-delay:${at}s;animation-duration:${
    round(seconds)
  }s;animation-timing-function:steps(${keys})`;
  return `<g clip-path="inset(0)"><rect class="cover" x="${x}" y="${y}" width="${width}" height="${CELL_HEIGHT}" style="${timing}"/></g>`;
}

function drawCursor({ cursor, at }: Frame): string {
  const x = round(PADDING + cursor.column * CELL_WIDTH);
  const y = BAR_HEIGHT + cursor.row * CELL_HEIGHT + 2;
  return `<rect class="on" style="animation-delay:${at}s" x="${x}" y="${y}" width="${CELL_WIDTH}" height="16" fill="#d7dce5"/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
