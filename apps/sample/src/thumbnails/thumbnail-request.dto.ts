import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsInt, Matches, Max, Min } from 'class-validator';

/** Which image, and how large its thumbnails shall be. */
export class ThumbnailRequestDto {
  /** A name, never a path. */
  @Matches(/^[A-Za-z0-9][A-Za-z0-9_-]{0,60}\.(png|jpg|webp)$/, {
    message: 'image must be the name of a .png, .jpg or .webp file',
  })
  image: string;

  /** Pixels of the longer side. */
  @ArrayMinSize(1)
  @ArrayMaxSize(6)
  @ArrayUnique()
  @IsInt({ each: true })
  @Min(16, { each: true })
  @Max(2048, { each: true })
  sizes: number[];
}
