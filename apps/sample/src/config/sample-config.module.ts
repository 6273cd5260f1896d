import { type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import type { SampleConfig } from './sample-config.js';

/**
 * Offers settings that were read and checked before Nest started, through `@nestjs/config`:
 * inject `ConfigService<SampleConfig, true>`.
 */
@Module({})
export class SampleConfigModule {
  static for(config: SampleConfig): DynamicModule {
    return {
      module: SampleConfigModule,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          load: [() => config],
          // The environment was read already, by rules of our own; a second reader would disagree with it.
          ignoreEnvFile: true,
          validatePredefined: false,
          skipProcessEnv: true,
        }),
      ],
    };
  }
}
