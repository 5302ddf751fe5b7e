/* tflite_content.c: is this a TFLite model, and if not, what is it. */
#include <string.h>

#include "front/known_files.h"
#include "tflite/tflite_schema.h"

sluice_status tfl_check_content(const char *path, struct sl_view bytes, sl_err *e)
{
    SL_TRY(sl_refuse_known_files(path, bytes, SL_FORMAT_TFLITE, e));
    if (bytes.size >= 8 && memcmp(bytes.data + 4, "TFL3", 4) == 0)
        return SLUICE_OK;
    if (bytes.size >= 8 && memcmp(bytes.data + 4, "TFL", 3) == 0)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "TFLite schema '%.4s', 'TFL3' is read", (const char *)bytes.data + 4);
    sl_fail(e, SLUICE_E_FORMAT, "this is not a TFLite model: the identifier TFL3 is missing");
    return sl_hint(e, "give a .tflite file; convert it: tf.lite.TFLiteConverter.from_saved_model('folder').convert()");
}
