// Writes PNG files again with a palette of 256 colours: `node shrink.mjs FILE...`. Panels have few colours.
import { readFileSync, writeFileSync } from 'node:fs';
import UPNG from 'upng-js';

for (const file of process.argv.slice(2)) {
  const image = UPNG.decode(readFileSync(file));
  writeFileSync(file, Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, 256)));
}
