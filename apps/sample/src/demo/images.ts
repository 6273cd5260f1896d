import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { DATA_SETS } from '../thumbnails/image-library.js';

const ICONS = ['ffox.png', 'gimp.png', '7zip.png'];
const PIXELS = 1400;

/** A file that calls itself an image. */
export const UNREADABLE_IMAGE = 'unreadable.png';

/** Makes images that are worth a thumbnail, from the icons of the data sets, and one that is none. Answers the good ones. */
export async function makeImages(dataFolder: string): Promise<readonly string[]> {
  const folder = join(dataFolder, 'images');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, UNREADABLE_IMAGE), 'This is no image.');
  const large = ICONS.map(async (icon) => {
    const name = `large-${icon.replace('.png', '.jpg')}`;
    await sharp(join(DATA_SETS, icon)).resize(PIXELS).flatten().jpeg().toFile(join(folder, name));
    return name;
  });
  return [...(await Promise.all(large)), ...ICONS];
}
