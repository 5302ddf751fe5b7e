/* verbs.c: the table of verbs and their flags. Help texts and docs/cli.md come from here. */
#include "cli/cli.h"

#include "base/compiler.h"

#define ARCH {"hw-arch", 0, CLI_CHOICE, "ARCH", "architecture: hailo10h (default), hailo15h or hailo15l", "hailo10h hailo15h hailo15l", 0, 0}
#define THREADS                                                                                                                \
    {"threads", 0, CLI_INT, "N", "threads to use (default: all processors); integer results do not depend on it", NULL, 0, 256}
#define MEMORY_LIMIT                                                                                                           \
    {"memory-limit", 0, CLI_INT, "MIB",                                                                                        \
     "most memory for tensors and for weights that are written out, in MiB (default: half of the machine's)", NULL, 1, 1 << 24}
#define RESIZE                                                                                                                 \
    {"resize", 0, CLI_CHOICE, "HOW",                                                                                           \
     "pictures of another size: none (default: an error), stretch, fit (keeps the aspect, rest 114), crop (short side to "      \
     "size/0.875, centre)",                                                                                                    \
     "none stretch fit crop", 0, 0}
#define DUMP_AFTER                                                                                                             \
    {"dump-after", 0, CLI_STRING, "PASS", "print the graph as IR text after this pass ('all': after each); 'sluice passes' lists them", NULL, 0, 0}

const struct cli_flag cli_common_flags[] = {
    {"json", 0, CLI_BOOL, "", "results as JSON on standard output", NULL, 0, 0},
    {"verbose", 'v', CLI_BOOL, "", "more detail: once per layer, twice per tile, three times per instruction", NULL, 0, 0},
    {"quiet", 'q', CLI_BOOL, "", "errors and warnings only", NULL, 0, 0},
    {"help", 'h', CLI_BOOL, "", "this text", NULL, 0, 0},
};
const size_t cli_common_flag_count = SL_COUNT(cli_common_flags);

#define PARSER_FLAGS                                                                                                           \
    {"har-path", 0, CLI_STRING, "FILE", "archive to write (default: NAME.har in the current folder)", NULL, 0, 0},              \
        {"net-name", 0, CLI_STRING, "NAME", "name of the network (default: the file's stem)", NULL, 0, 0},                      \
        {"start-node-names", 0, CLI_LIST, "NODE", "where the network starts: nodes, or tensors as NODE:0 (default: the graph's inputs)", NULL, 0, 0}, \
        {"end-node-names", 0, CLI_LIST, "NODE", "nodes (or tensors) where the network ends (default: the graph's outputs)", NULL, 0, 0},    \
        {"tensor-shapes", 0, CLI_LIST, "SHAPE", "fix dynamic dimensions: [1,3,640,640] or input=[1,3,640,640]", NULL, 0, 0}, ARCH,          \
        {"yes", 'y', CLI_BOOL, "", "take recommended end nodes without asking", NULL, 0, 0}

static const struct cli_flag parser_onnx_flags[] = {
    PARSER_FLAGS,
    {"parsing-report-path", 0, CLI_STRING, "FILE", "JSON of what parsing found, written also when it fails", NULL, 0, 0},
    {"input-format", 0, CLI_LIST, "ORDER", "axis order of inputs: NCHW, NHWC or NAME=NHWC (default: found from the graph)", NULL, 0, 0},
    {"compare", 0, CLI_BOOL, "",
     "then compare with ONNX Runtime, layer by layer, also between start and end nodes (needs python3 with numpy and onnxruntime)",
     NULL, 0, 0},
    {"augmented-path", 0, CLI_STRING, "FILE", "with --compare: keep the model that has every layer as an output", NULL, 0, 0},
    {"disable-onnx-simplifier", 0, CLI_BOOL, "", "accepted; the parser folds constants itself and runs no simplifier", NULL, 0, 0},
    {"disable-rt-metadata-extraction", 0, CLI_BOOL, "", "do not keep what start and end nodes cut off", NULL, 0, 0},
};

static const struct cli_flag parser_flags[] = {
    PARSER_FLAGS,
    {"parsing-report-path", 0, CLI_STRING, "FILE", "JSON of what parsing found, written also when it fails", NULL, 0, 0},
};

static const struct cli_flag optimize_flags[] = {
    {"calib-set-path", 0, CLI_STRING, "PATH", "calibration data: a folder of JPEG, PNG or npy files, an .npy [N, ...] or an .npz", NULL, 0, 0},
    {"use-random-calib-set", 0, CLI_BOOL, "", "calibrate on 64 pseudo-random samples (to try the flow; accuracy suffers)", NULL, 0, 0},
    RESIZE,
    {"calib-set-size", 0, CLI_INT, "N", "use at most N samples (default: all)", NULL, 1, 1000000000},
    {"model-script", 0, CLI_STRING, "FILE", "model script (.alls)", NULL, 0, 0},
    {"output-har-path", 0, CLI_STRING, "FILE", "archive to write (default: NAME_optimized.har in the current folder)", NULL, 0, 0},
    {"full-precision-only", 0, CLI_BOOL, "", "stop after the float graph passes", NULL, 0, 0},
    {"range-method", 0, CLI_CHOICE, "METHOD", "how ranges are chosen: minmax, percentile, mse or kl (default: the one that measured best)", "minmax percentile mse kl", 0, 0},
    {"work-dir", 0, CLI_STRING, "DIR", "accepted; nothing is written there", NULL, 0, 0},
    ARCH,
    THREADS,
    MEMORY_LIMIT,
    DUMP_AFTER,
};

static const struct cli_flag compiler_flags[] = {
    {"output-dir", 0, CLI_STRING, "DIR", "folder of the HEF and the archive (default: the current folder)", NULL, 0, 0},
    {"output-har-path", 0, CLI_STRING, "FILE", "archive to write (default: NAME_compiled.har)", NULL, 0, 0},
    {"model-script", 0, CLI_STRING, "FILE", "model script with placement commands", NULL, 0, 0},
    ARCH,
    DUMP_AFTER,
};

#define FILES                                                                                                                  \
    {"input", 'i', CLI_LIST, "FILE", "input: FILE or NAME=FILE; .npy, .npz, a picture, or a folder of them", NULL, 0, 0},        \
        {"output-dir", 'o', CLI_STRING, "DIR", "folder for one .npy an output and index.json", NULL, 0, 0},                      \
        {"raw", 0, CLI_BOOL, "", "outputs keep their integer type (default: float32 real values)", NULL, 0, 0},                 \
        {"origin-layout", 0, CLI_BOOL, "", "inputs and outputs in the original model's shapes and axis order (default: NHWC)", NULL, 0, 0}, \
        {"dump-tensors", 0, CLI_STRING, "DIR", "also write every layer's tensor", NULL, 0, 0}, RESIZE, THREADS, MEMORY_LIMIT

static const struct cli_flag emulate_flags[] = {
    {"mode", 0, CLI_CHOICE, "MODE", "native (float, as parsed), fp_optimized (float, fused) or quantized (default: the newest the archive has)", "native fp_optimized quantized", 0, 0},
    FILES,
};
static const struct cli_flag run_flags[] = {FILES};

static const struct cli_flag benchmark_flags[] = {
    {"time", 't', CLI_NUMBER, "SECONDS", "how long to run (default 5)", NULL, 0, 86400},
    THREADS,
    MEMORY_LIMIT,
};

static const struct cli_flag parse_hef_flags[] = {
    {"parse-streams", 0, CLI_BOOL, "", "list the streams of each network", NULL, 0, 0},
    {"parse-vstreams", 0, CLI_BOOL, "", "list the virtual streams of each network (on by default)", NULL, 0, 0},
};

static const struct cli_flag extract_flags[] = {
    {"output-dir", 'o', CLI_STRING, "DIR", "folder to write into (default: NAME in the current folder)", NULL, 0, 0},
};
static const struct cli_flag print_flags[] = {
    {"stage", 0, CLI_CHOICE, "STAGE", "print one stage's graph as IR text: native, fp_optimized or quantized", "native fp_optimized quantized", 0, 0},
};
static const struct cli_flag image_flags[] = {
    {"output", 'o', CLI_STRING, "FILE", "array to write: u8 [N, height, width, 3]", NULL, 0, 0},
    {"size", 0, CLI_STRING, "HxW", "height and width (default: those of the first picture)", NULL, 0, 0},
    {"bgr", 0, CLI_BOOL, "", "blue first (default: red first)", NULL, 0, 0},
    RESIZE,
};
static const struct cli_flag detect_flags[] = {
    {"spec", 0, CLI_STRING, "FILE", "JSON decode rule with its labels (see examples/demo/signs.json)", NULL, 0, 0},
    {"float", 0, CLI_STRING, "HAR", "archive whose float mode is measured and drawn beside the HEF", NULL, 0, 0},
    {"picture", 0, CLI_STRING, "FILE", "PNG to write: boxes of the float network and of the quantized one", NULL, 0, 0},
    THREADS,
};

#define FLAGS(a) a, SL_COUNT(a)
const struct cli_verb cli_verbs[] = {
    {"parser onnx", "FILE", 1, 1, "parse an ONNX file into an archive (HAR)",
     "Operators that are not supported are all named at once, with node names; where a smaller part of the graph would do, its end\n"
     "nodes are recommended, and a question asks whether to take them (at the end of standard input the answer is no; -y is yes).",
     FLAGS(parser_onnx_flags), cli_parser_onnx},
    {"parser tflite", "FILE", 1, 1, "parse a TFLite file into an archive (HAR)",
     "Nodes are named by tensors. A file that is quantized throughout keeps its own scales: go on with 'sluice compiler'.",
     FLAGS(parser_flags), cli_parser_tflite},
    {"parser tf", "FILE", 1, 1, "another name of 'parser tflite'",
     "SavedModels, frozen graphs and Keras files are recognised, and the message says how to convert them.", FLAGS(parser_flags),
     cli_parser_tflite},
    {"optimize", "FILE.har", 1, 1, "quantize a parsed archive", "Takes exactly one of --calib-set-path and --use-random-calib-set.",
     FLAGS(optimize_flags), cli_optimize},
    {"compiler", "FILE.har", 1, 1, "compile a quantized archive to a HEF (changes no number)", NULL, FLAGS(compiler_flags), cli_compiler},
    {"emulate", "FILE.har", 1, 1, "run an archive in one of the emulator's modes on files",
     "An array with a leading batch dimension N gives outputs with N. Float arrays are real values; integer arrays of the stream's\n"
     "own type are taken as they are.",
     FLAGS(emulate_flags), cli_emulate},
    {"run", "FILE.hef", 1, 1, "run a HEF on the software device, on files", "Input and output forms are those of 'sluice emulate'.",
     FLAGS(run_flags), cli_run},
    {"benchmark", "FILE.hef", 1, 1, "time a HEF on this machine's software device", NULL, FLAGS(benchmark_flags), cli_benchmark},
    {"parse-hef", "FILE", 1, 1, "show what a HEF holds (any compiler's)", NULL, FLAGS(parse_hef_flags), cli_parse_hef},
    {"har info", "FILE.har", 1, 1, "show what an archive holds", NULL, FLAGS(print_flags), cli_har_info},
    {"har extract", "FILE.har", 1, 1, "write the members of an archive into a folder", NULL, FLAGS(extract_flags), cli_har_extract},
    {"image", "PICTURE ...", 1, 1000000, "decode and resize pictures as calibration does, into one .npy", NULL, FLAGS(image_flags), cli_image},
    {"detect", "FILE.hef", 1, 1, "draw and measure a detector's boxes, float beside quantized", NULL, FLAGS(detect_flags), cli_detect},
    {"dump", "FILE", 1, 1, "print any file sluice writes (HAR, HEF, npy) as text, with offsets", NULL, NULL, 0, cli_dump},
    {"diff", "DIR DIR", 2, 2, "compare two folders of tensors: the first layer that differs, and by how much", NULL, NULL, 0, cli_diff},
    {"ops", "", 0, 0, "list the operations", NULL, NULL, 0, cli_ops},
    {"passes", "", 0, 0, "list the passes of optimize and compiler", NULL, NULL, 0, cli_passes},
    {"docs", "WORD", 1, 1, "print a generated document: 'cli', 'ops', 'patterns', 'script' or 'heads'", NULL, NULL, 0, cli_docs},
};
const size_t cli_verb_count = SL_COUNT(cli_verbs);
