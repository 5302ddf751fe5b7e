/* hash.h: XXH3-64 (libxxhash) for content addressing and the HEF header; CRC32 and MD5 for the older HEF headers. */
#ifndef SL_BASE_HASH_H
#define SL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t sl_hash64(const void *data, size_t n);                 /* XXH3-64, seed 0, host integer */
uint32_t sl_crc32(const void *data, size_t n);                  /* zlib's */
void sl_md5(const void *data, size_t n, uint8_t out[16]);       /* RFC 1321 */

#endif
