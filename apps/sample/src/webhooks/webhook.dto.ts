import { IsString, IsUrl, Length, Matches } from 'class-validator';

/** What is told, and to whom. */
export class WebhookDto {
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false })
  url: string;

  /** For example `order.paid`. */
  @Matches(/^[a-z][a-z0-9._-]{0,63}$/, { message: 'event must be a name such as "order.paid"' })
  event: string;

  /** What the event is about, for example an order. */
  @IsString()
  @Length(1, 100)
  id: string;
}
