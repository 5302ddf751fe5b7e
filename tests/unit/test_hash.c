/* test_hash.c: published vectors. MD5: RFC 1321, A.5. CRC-32: the check value of "123456789". XXH3-64: xxHash's own for empty
 * input. */
#include "unit.h"

#include "base/hash.h"

static void md5(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } vectors[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < SL_COUNT(vectors); i++) {
        uint8_t digest[16];
        char hex[33];
        sl_md5(vectors[i].text, strlen(vectors[i].text), digest);
        for (int k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(hex, vectors[i].hex);
    }
}

static void others(void **state)
{
    (void)state;
    assert_int_equal(sl_crc32("123456789", 9), 0xcbf43926);
    assert_int_equal(sl_crc32(NULL, 0), 0);
    assert_true(sl_hash64("", 0) == 0x2d06800538d394c2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(md5), cmocka_unit_test(others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
