#!/usr/bin/env python3
"""Writes small seed inputs, one folder a fuzz target: python3 fuzz/make_seeds.py FOLDER

Only the standard library is needed. Targets of other rooms add a function named seeds_<target> here.
"""
import base64
import gzip
import io
import json
import os
import struct
import sys
import tarfile
import zipfile
import zlib

from onnx_writer import (onnx_floats, onnx_graph, onnx_ints, onnx_model, onnx_node, onnx_tensor, onnx_value, pb, pb_varint, pbs)


def npy(descr, shape, data, fortran=False, version=1):
    head = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (descr, fortran, shape)
    head += ' ' * (-(len(head) + 11 + 2 * (version > 1)) % 64) + '\n'
    size = struct.pack('<H' if version == 1 else '<I', len(head))
    return b'\x93NUMPY' + bytes([version, 0]) + size + head.encode() + data


def seeds_npy():
    f = struct.pack('<6f', 0, 1, -1.5, 2, 3e30, -0.0)
    return {
        'f4': npy('<f4', (2, 3), f), 'fortran': npy('<f4', (2, 3), f, True), 'big': npy('>i2', (3, 2), bytes(range(12))),
        'bool': npy('|b1', (4,), b'\0\1\0\1'), 'scalar': npy('<f8', (), bytes(8)), 'empty': npy('<i8', (0, 3), b''),
        'version2': npy('|u1', (5,), b'12345', version=2), 'version3': npy('<u2', (1, 1, 2), b'1234', version=3),
        'object': npy('|O', (1,), bytes(8)), 'short': npy('<f4', (9, 9), f),
    }


def seeds_script():
    lines = [
        'normalization1 = normalization([127.0, 127.0, 127.0], [128.0, 128.0, 128.0])', 'n = normalization([0., .5, 1e-5], [1.0, 2, 3], net/input_layer1)',
        'change_output_activation(conv1, sigmoid)', 'nms_postprocess("../cfg/a.json", meta_arch=yolov8, engine=cpu)',
        'model_optimization_flavor(optimization_level=2, compression_level=0)', 'model_optimization_config(calibration, batch_size=8, calibset_size=64)',
        'pre_quantization_optimization(activation_clipping, layers={conv*}, mode=percentile, clipping_values=[0.01, 99.7])',
        'quantization_param([conv1, output_layer1], precision_mode=a16_w8)', 'quantization_param({net/c[0-9]*}, force_range_out=[-1.5, 2])',
        'post_quantization_optimization(finetune, policy=disabled, learning_rate=1e-5, loss_layer_names=[conv1])',
        'a, b, c = defuse(conv1, 2)', '{} = defuse_block(matmul1, defuse_count=4)', 'context_0 = context([conv1,\n  conv2])', 'context_0.place(0, [conv1])',
        'buffers(conv1, conv2, 3, FULL_ROW)', 'allocator_param(timeout=25m, automatic_ddr=False, fps=null)', '# a comment', 'performance_param(fps=null, optimize_for_batch=8)',
    ]
    return {'all': '\n'.join(lines).encode(), **{'line%d' % i: (l + '\r\n').encode() for i, l in enumerate(lines)}}


def zipped(method, names):
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w', method) as z:
        for name, data in names.items():
            z.writestr(zipfile.ZipInfo(name), data, method)
    return b.getvalue()


def streamed_zip():
    """As numpy.savez writes: local zip64 fields."""
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w') as z:
        with z.open(zipfile.ZipInfo('x.npy'), 'w', force_zip64=True) as f:
            f.write(npy('|u1', (3,), b'abc'))
    return b.getvalue()


def seeds_npz():
    members = {'a.npy': npy('<f4', (2,), bytes(8)), 'net/conv1/kernel.npy': npy('|i1', (3, 3), bytes(9))}
    return {
        'stored': zipped(zipfile.ZIP_STORED, members), 'deflated': zipped(zipfile.ZIP_DEFLATED, members),
        'zeros': zipped(zipfile.ZIP_DEFLATED, {'z.npy': npy('|u1', (100000,), bytes(100000))}), 'streamed': streamed_zip(),
        'none': zipped(zipfile.ZIP_STORED, {}), 'other': zipped(zipfile.ZIP_STORED, {'readme.txt': b'x'}),
    }


def seeds_json():
    deep = b'[' * 64 + b']' * 64
    tree = {'name': 'net', 'layers': [{'shape': [1, 224, 224, 3], 'scale': 0.1, 'zero': -128, 'on': True, 'off': None}], 'u': '\u00e9\n'}
    return {
        'tree': json.dumps(tree).encode(), 'indented': json.dumps(tree, indent=2).encode(), 'deep': deep, 'deeper': b'[' + deep + b']',
        'numbers': b'[0, -1, 1.5, 1e10, 1E-5, 9223372036854775807, 2.2250738585072014e-308, 0.30000000000000004]',
        'escapes': rb'["\u0041\ud83d\ude00\"\\\/\b\f\n\r\t\u0000"]', 'twice': b'{"a": 1, "a": 2}',
    }


def tarred(fmt, names):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode='w', format=fmt) as t:
        for name, data in names.items():
            i = tarfile.TarInfo(name)
            i.size = len(data)
            i.type = tarfile.DIRTYPE if name.endswith('/') else tarfile.REGTYPE
            t.addfile(i, io.BytesIO(data))
    return b.getvalue()[:8192]


def seeds_tar():
    names = {'net.hn': b'{}', 'dir/': b'', 'dir/net.npz': bytes(700), 'n' * 150: b'long'}
    plain = tarred(tarfile.USTAR_FORMAT, {'a': b'one', 'b': bytes(600)})
    return {
        'ustar': plain, 'pax': tarred(tarfile.PAX_FORMAT, names), 'gnu': tarred(tarfile.GNU_FORMAT, names),
        'gz': gzip.compress(plain, mtime=0), 'up': tarred(tarfile.USTAR_FORMAT, {'../x': b'x'}),
    }


def png(width, height, depth, colour, rows, extra=b'', interlace=0):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    head = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, interlace)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + extra + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


# 21 x 17 gradients, made once with libjpeg
JPEGS = {
    'baseline.jpg': (
        '|JeWF01!$>Nk#wx0RR9200961|JwjV02>k%7Zed27Zw*D92+1gLMtdGB`8rkJupIGRb^yfRb5+Zc$tA}agcLcU4^xVke;Kft*d8%yve$z$C;?B'
        'r2pFhLjfEf9w;LyPAe-;q;6eqq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@@4A01*fP5dakf0U`hb5di}c'
        '0sq7R7XSeP0RaF20000000000000041q1)Y02&Yh00IL60000000000000000|WvwVIlv-02cuP0RaI30000000000000021q25F!~h!+0RRF5'
        '0{{R30000000000009F61QH=J|Jncy0|5X65d#qbKLE#$w-rZQi({?DQP$wbK}NzXD|w-<g>N(;B{<mW!ZmS&JUPk~;h+spJb(Y$'),
    'progressive.jpg': (
        '|JeWF01!$>Nk#wx0RR9200961|JwjV02>k%7Zed27Zw*D92+1gLMtdGB`8rkJupIGRb^yfRb5+Zc$tA}agcLcU4^xVke;Kft*d8%yve$z$C;?B'
        'r2pFhLjfEf9w;LyPAe-;q;6eqq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@<*zq@@4C01*fP5dakf0U`hb5di}c'
        '0sq7R761VO0RR910000000000000031pmYU7y$qS0RaF20000000000000331Oo;C+5ij#0RRFJ0}ucJ0moZZELz5?*w33l)qnrQ02mMe0|5a5'
        '0000000000000000Rj>b|Jncu0RaF31p-njGAR_95V`-v02mPf0s{a50000000000000000s{~e|Jncu0RsU6KLJS%1h4<Z02UDe0RaF200000'
        '000000000H01*G$00;pB0RcY&XMg|102B}b0000000000000000000m|Jncu0RaF8KLQ{B!~hl$0RaI30000000000000000T2NH+5iXv0RRC%'
        'A%IX68~@q>3<CiG0ssR5000m)DE$A#02mPf0s{a50000000000000000T3ZE|Jncu0RsU6KM*BItUv$602L7d0RR910000000000000015dYc$'
        '2mt~C0Y4BRPyfUK7!Uvh0RaF200000000000000nVIdIz+5iXv0RRC%5Q!5sM2VW{r~la'),
    'grey.jpg': (
        '|JeWF01!$>Nk#wx0RR9200961|JwjV02>k%7Zed27Zw*D92+1gLMtdGB`8rkJupIGRb^yfRb5+Zc$tA}agcLcU4^xVke;Kft*d8%yve$z$C;?B'
        'r2oJG3kU!a02KiN5di<h02crO00RI30000000000000040s{sA!~hx)00IL60RR91000000000000RO9VKE{9+5iXv0RR9$0LNWy6uQ_d6};g!'
        '*1=1yf?-?E6f9cA!-xOb'),
    'cmyk.jpg': (
        '|JeWT01iQ9Z(?NtWB>pF0095n07C#95)>B{5gQj47aklNASgmBC?zE*Q93;^LSR*8WM5TXTWWZjfogG(b6Z`7wT6(MqpPi}XMnuPx~9jOsH>#^'
        'zyK5o01*Hc1Va%3O%VWD5dcdO0RO}Q7XSeP0RaF20000000000000051P1@a02>ei009L70000000000000000|XQ@L17~Q+5ip&LjX+xSpZ7_'
        '06zeYN2Hq`BSRCWT%*xr#^_=epun-?Y;k!UO&*;cj~JndT%*xr#^_=epun-?Y;k!UO&*mKAr~n0H$p8zfZHA;|Je'),
}


def seeds_image():
    palette = b'\0\0\0\6PLTE\1\2\3\4\5\6'
    palette += struct.pack('>I', zlib.crc32(palette[4:]))
    bmp = b'BM' + struct.pack('<IIIIiiHHIIiiII', 54 + 24, 0, 54, 40, 2, 3, 1, 24, 0, 24, 0, 0, 0, 0) + bytes(range(24))
    bmp8 = b'BM' + struct.pack('<IIIIiiHHIIiiII', 74, 0, 62, 40, 3, -3, 1, 8, 0, 12, 0, 0, 2, 0) + bytes(8) + bytes([0, 1, 0, 0] * 3)
    seeds = {name: base64.b85decode(text) for name, text in JPEGS.items()}
    seeds.update({
        'rgb.png': png(3, 2, 8, 2, (b'\0' + bytes(range(9))) * 2), 'grey1.png': png(9, 2, 1, 0, b'\0\xaa\x80' * 2),
        'rgba16.png': png(2, 1, 16, 6, b'\0' + bytes(range(16))), 'palette.png': png(4, 1, 1, 3, b'\0\x50', palette),
        'ga.png': png(2, 2, 8, 4, b'\1abcd' * 2), 'adam7.png': png(1, 1, 8, 0, b'\0\x7f', interlace=1),
        'large.png': png(60000, 1000, 8, 0, b'\0' * 1000), 'bmp24.bmp': bmp, 'bmp8.bmp': bmp8,
        'p6.ppm': b'P6 # comment\n2 2\n255\n' + bytes(range(12)), 'p5.pgm': b'P5 2 1 65535 abcd',
    })
    return seeds


def varint(v):
    out = b''
    while v >= 128:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, wire, payload):
    return varint(number << 3 | wire) + (varint(len(payload)) + payload if wire == 2 else payload)


def seeds_wire():
    nested = b'\x08\x01'
    for _ in range(70):
        nested = field(1, 2, nested)
    message = field(1, 0, varint(150)) + field(2, 2, b'testing') + field(3, 5, bytes(4)) + field(4, 1, bytes(8))
    return {
        'message': message, 'nested': nested, 'packed': field(1, 2, b''.join(varint(i * i) for i in range(40))),
        'large number': field(536870911, 0, varint(2 ** 64 - 1)), 'group': b'\x0b\x0c', 'twice': field(7, 2, message) * 2,
    }


IR_TEXT = b"""# all that the language has
graph net quantized
scope "second net"
state "k cache" id 0 f32 [8, 64] length 1024
scalar tokens id 7 maximum 4096
%input_layer1 = input_layer() : f32 [1, 8, 8, 3] quant u8 scale 1.0 zero 0 origins ["images"]
%conv1 = conv(%input_layer1) {strides = [1, 2, 2, 1], activation = "a\\"\\n", alpha = 0.1, limit = inf, none = [], f = floats []}
  params {kernel: s4 [3, 3, 3, 5] = seed 1, bias: f32 [5] = splat 0.1, h: f16 [2] = [0x3c00, 0xfc00], i: s64 [] = [-1]}
  : f32 [1, 4, 4, 5] quant u8 scale 0.023529412 zero 128 origins ["Conv_0", "Relu_1"]
%1 = activation(%conv1) {type = "relu"} : f32 [1, 4, 4, 5] quant u16 zero 65535 scales [0.1, 0.2, 0.3, 0.4, 0.5]
%"second net"/conv1 = ew_add(%1, %conv1) : f32 [1, 4, 4, 5]
%out = output_layer(%"second net"/conv1) : f32 [1, 4, 4, 5]
alternative adapter of %conv1 params {kernel: f32 [2] = [1.0, 2.0]}
input images = %input_layer1 : f32 [1, 3, 8, 8] perm [0, 3, 1, 2]
output scores = %out : f64 [1, 5, 16] perm [0, 3, 1, 2]
"""


def seeds_irtext():
    short = b'graph net native %x = input_layer() %y = activation(%x) {type = "relu"} %o = output_layer(%y)'
    return {'all': IR_TEXT, 'short': short, 'empty': b'graph net native', 'cycle': b'graph net native %x = activation(%x)'}


def hn(stage, quantization):
    def layer(kind, inputs, shape, arrays=(), **params):
        o = {'type': kind, 'input': inputs, 'output': [], 'input_shapes': [], 'output_shapes': [shape], 'original_names': ['n'],
             'params': params, 'arrays': list(arrays)}
        if quantization:
            o['quantization'] = {'dtype': 'u8', 'scale': 0.0235294122, 'zero_point': 128}
        return o
    layers = {
        'net/input_layer1': layer('input_layer', [], [-1, 4, 4, 2]),
        'net/conv1': layer('conv', ['net/input_layer1'], [-1, 4, 4, 2], ['kernel', 'bias'], strides=[1, 1, 1, 1], alpha=0.1),
        'net/output_layer1': layer('output_layer', ['net/conv1'], [-1, 4, 4, 2]),
    }
    net = {'version': '1.0', 'stage': stage, 'net_scopes': ['net'], 'output_layers_order': ['net/conv1']}
    return json.dumps({'name': 'net', 'net_params': net, 'layers': layers}).encode()


def har(fmt=tarfile.USTAR_FORMAT, **changes):
    def port(name, layer):
        return {'origin_name': name, 'layer': layer, 'origin_dtype': 'f32', 'origin_shape': [1, 2, 4, 4], 'perm': [0, 3, 1, 2]}
    stage = {'inputs': [port('images', 'net/input_layer1')], 'outputs': [port('scores', 'net/output_layer1')],
             'states': [{'name': 'k', 'id': 0, 'dtype': 'f32', 'entry': [8], 'length': 4}],
             'scalars': [{'name': 'n', 'id': 0, 'maximum': 4}],
             'alternatives': [{'name': 'lora', 'layer': 'net/conv1', 'arrays': ['bias']}],
             'arrays': {'net/conv1/bias:0': {'dtype': 'f32', 'shape': [2], 'splat': True}}}
    metadata = {'format': 'sluice-har', 'format_version': 1, 'name': 'net', 'state': 'QUANTIZED_MODEL', 'hw_arch': 'hailo10h',
                'versions': {'sluice': '0.1.0'}, 'applied': [], 'modifications': {}, 'stages': {'native': stage, 'quantized': stage}}
    arrays = zipped(zipfile.ZIP_STORED, {'net/conv1/kernel:0.npy': npy('<f4', (1, 1, 2, 2), bytes(16)),
                                         'net/conv1/bias:0.npy': npy('<f4', (1,), bytes(4)),
                                         'net/conv1/bias@lora:0.npy': npy('<f4', (2,), bytes(8))})
    names = {'net.metadata.json': json.dumps(metadata).encode(), 'net.hn': hn('quantized', True), 'net.native.hn': hn('native', False),
             'net.npz': arrays, 'net.q.npz': arrays, 'net.alls': b'normalization1 = normalization([0.0], [1.0])', 'net.nms.json': b'{}'}
    names.update(changes)
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode='w', format=fmt) as t:
        for name, data in names.items():
            i = tarfile.TarInfo(name)
            i.size = len(data)
            t.addfile(i, io.BytesIO(data))
    return b.getvalue()


def seeds_har():
    return {'har': har(), 'pax': har(tarfile.PAX_FORMAT), 'gz': gzip.compress(har(), mtime=0), 'no hn': har(**{'net.hn': b'{}'})}


# ---- ONNX: a writer of protobuf messages, just enough for small models ----

def seeds_onnx():
    n, v, f, i = onnx_node, onnx_value, onnx_floats, onnx_ints
    picture, flat = [v('x', [1, 3, 8, 8])], [v('x', ['batch', 6])]
    body = pb(1, 'f') + pb(4, 'a') + pb(5, 'b') + pb(7, n('Relu', ['a'], ['t'])) + pb(7, n('Neg', ['t'], ['b'])) + \
        pb(9, pb(2, 17)) + pb(10, 'own')
    branch = onnx_graph([n('Sigmoid', ['x'], ['r'])], [], [v('r', [1, 6])])
    sparse = pb(15, pb(1, onnx_tensor('w', [2], 1, struct.pack('<2f', 1, 2))) + pb(2, onnx_ints('', 0, 5)) + pbs(3, [6]))
    packed = onnx_tensor('w', [6], 1, typed=pb(4, struct.pack('<6f', *range(6))))
    unpacked = onnx_tensor('s', [2], 7, typed=pb(7, 2) + pb(7, 3))
    return {
        'conv': onnx_model([n('Conv', ['x', 'w', 'b'], ['c'], pads=[1, 1, 1, 1], strides=[2, 2]), n('Sigmoid', ['c'], ['g']),
                            n('Mul', ['c', 'g'], ['m']), n('GlobalAveragePool', ['m'], ['p']), n('Flatten', ['p'], ['y'])],
                           picture, [v('y', [1, 4])], [f('w', 4, 3, 3, 3), f('b', 4)]),
        'depthwise': onnx_model([n('Conv', ['x', 'w'], ['c'], group=3), n('BatchNormalization', ['c', 's', 's', 's', 'v'], ['n']),
                                 n('Clip', ['n', 'lo', 'hi'], ['k']), n('MaxPool', ['k'], ['p'], kernel_shape=[2, 2], ceil_mode=1),
                                 n('Resize', ['p', '', 'r'], ['y'], mode='linear')], picture, [v('y', [1, 3, 6, 6])],
                                [f('w', 3, 1, 3, 3), f('s', 3), onnx_tensor('v', [3], 1, struct.pack('<3f', 1, 2, 3)),
                                 onnx_tensor('lo', [], 1, bytes(4)), onnx_tensor('hi', [], 1, struct.pack('<f', 6)),
                                 onnx_tensor('r', [4], 1, struct.pack('<4f', 1, 1, 2, 2))]),
        'shapes': onnx_model([n('Shape', ['x'], ['s']), n('Gather', ['s', 'zero'], ['d']), n('Unsqueeze', ['d', 'axis'], ['u']),
                              n('Concat', ['u', 'rest'], ['t'], axis=0), n('Reshape', ['x', 't'], ['y'])], picture, [v('y', [1, 192])],
                             [onnx_tensor('zero', [], 7, bytes(8)), i('axis', 0), i('rest', -1)]),
        'attention': onnx_model([n('MatMul', ['x', 'w'], ['q']), n('Reshape', ['q', 's'], ['h']), n('Transpose', ['h'], ['t'], perm=[0, 2, 1, 3]),
                                 n('Transpose', ['t'], ['k'], perm=[0, 1, 3, 2]), n('MatMul', ['t', 'k'], ['a']), n('Softmax', ['a'], ['p']),
                                 n('MatMul', ['p', 't'], ['o']), n('Transpose', ['o'], ['z'], perm=[0, 2, 1, 3]), n('Reshape', ['z', 'e'], ['y'])],
                                [v('x', [1, 4, 6])], [v('y', [1, 4, 6])], [f('w', 6, 6), i('s', 1, 4, 2, 3), i('e', 1, 4, 6)]),
        'gemm': onnx_model([n('Gemm', ['x', 'w', 'b'], ['g'], transB=1, alpha=0.5), n('LayerNormalization', ['g', 'b'], ['l']),
                            n('Split', ['l'], ['a', 'b2'], axis=1), n('Add', ['a', 'b2'], ['y'])], flat, [v('y', ['batch', 2])],
                           [f('w', 4, 6), f('b', 4)]),
        'function': onnx_model([n('f', ['x'], ['t'], domain='own'), n('f', ['t'], ['y'], domain='own')], flat, [v('y', [1, 6])],
                               more=pb(25, body) + pb(8, pb(1, 'own') + pb(2, 1))),
        'branch': onnx_model([n('If', ['c'], ['y'], then_branch=branch, else_branch=branch)], flat, [v('y', [1, 6])],
                             [onnx_tensor('c', [1], 9, b'\1')]),
        'sparse': onnx_model([n('Mul', ['x', 'w'], ['y'])], flat, [v('y', [1, 6])], more_graph=sparse),
        'typed': onnx_model([n('Add', ['x', 'w'], ['t']), n('Reshape', ['t', 's'], ['y'])], flat, [v('y', [2, 3])], [packed, unpacked]),
        'external': onnx_model([n('Add', ['x', 'w'], ['y'])], flat, [v('y', [1, 6])],
                               [onnx_tensor('w', [6], 1) + pb(13, pb(1, 'location') + pb(2, '../w.bin')) + pb(14, 1)]),
        'unsupported': onnx_model([n('Relu', ['x'], ['t']), n('Mystery', ['t'], ['y'])], flat, [v('y', [1, 6])]),
        'cycle': onnx_model([n('Add', ['x', 'b'], ['a']), n('Relu', ['a'], ['b']), n('Neg', ['b'], ['y'])], flat, [v('y', [1, 6])]),
        'volume': onnx_model([n('Conv', ['x', 'w'], ['c'], pads=[1, 0, 0, 1, 0, 0]), n('MaxPool', ['c'], ['m'], kernel_shape=[2, 2, 2]),
                              n('AveragePool', ['m'], ['y'], kernel_shape=[2, 2, 2], pads=[1, 1, 1, 1, 1, 1], count_include_pad=1)],
                             [v('x', [1, 2, 4, 6, 6])], [v('y', [1, 3, 4, 4, 4])], [f('w', 3, 2, 3, 3, 3)]),
        'recurrent': onnx_model([n('LSTM', ['x', 'w', 'r', 'b'], ['a', 'h', 'c'], hidden_size=3, direction='bidirectional'),
                                 n('GRU', ['x', 'gw', 'gr'], ['g'], hidden_size=2, linear_before_reset=1), n('ReduceSum', ['g'], ['s']),
                                 n('Add', ['a', 's'], ['y'])], [v('x', [4, 1, 5])], [v('y', [4, 2, 1, 3])],
                                [f('w', 2, 12, 5), f('r', 2, 12, 3), f('b', 2, 24), f('gw', 1, 6, 5), f('gr', 1, 6, 2)]),
        'einsum_twice': onnx_model([n('Einsum', ['x', 'w'], ['y'], equation='bij,bjk->bib')], [v('x', [1, 3, 4]), v('w', [1, 4, 2])],
                                   [v('y', [1, 3, 1])], opset=17),
        'einsum': onnx_model([n('Einsum', ['x', 'w'], ['a'], equation='bij,bjk->bik'), n('Einsum', ['a'], ['t'], equation='...ij->...ji'),
                              n('Einsum', ['t', 't', 'x'], ['y'], equation='bij,bkj,bil->lk')], [v('x', [1, 3, 4])], [v('y', [4, 3])],
                             [f('w', 1, 4, 3)]),
        'quantized': onnx_model([n('QuantizeLinear', ['x', 's', 'z'], ['q']), n('DequantizeLinear', ['q', 's', 'z'], ['d']),
                                 n('DynamicQuantizeLinear', ['d'], ['u', 'us', 'uz']), n('MatMulInteger', ['u', 'w', 'uz'], ['m']),
                                 n('Cast', ['m'], ['y'], to=1)], flat, [v('y', [1, 2])],
                                [onnx_tensor('s', [], 1, struct.pack('<f', 0.1)), onnx_tensor('z', [], 2, b'\x80'),
                                 onnx_tensor('w', [6, 2], 3, bytes(range(250, 256)) + bytes(6))]),
        'index': onnx_model([n('TopK', ['x', 'k'], ['v', 'i']), n('GatherElements', ['x', 'i'], ['g']), n('ArgMax', ['x'], ['m'], axis=1),
                             n('OneHot', ['m', 'd', 'o'], ['h']), n('CumSum', ['x', 'a'], ['c']), n('Trilu', ['h3'], ['t']),
                             n('Unsqueeze', ['h', 'a'], ['h3']), n('Less', ['v', 'g'], ['l']), n('Where', ['l', 'v', 'g'], ['w']),
                             n('ScatterElements', ['c', 'i', 'w'], ['y'], axis=1)], flat, [v('y', [1, 6])],
                            [i('k', 2), i('d', 6), i('a', 1), onnx_tensor('o', [2], 1, struct.pack('<2f', 0, 1))]),
        'signal': onnx_model([n('STFT', ['x', 's', 'w'], ['f']), n('DFT', ['f'], ['y'], axis=2, inverse=1), n('HannWindow', ['n'], ['w'])],
                             [v('x', [1, 16, 1])], [v('y', [1, 3, 5, 2])],
                             [onnx_tensor('s', [], 7, struct.pack('<q', 4)), onnx_tensor('n', [], 7, struct.pack('<q', 8))]),
        'groups': onnx_model([n('Reshape', ['x', 's'], ['r']), n('InstanceNormalization', ['r', 'o', 'z'], ['i']), n('Reshape', ['i', 'b'], ['g']),
                              n('LRN', ['g'], ['l'], size=3), n('DepthToSpace', ['l'], ['d'], blocksize=2), n('LpPool', ['d'], ['y'],
                                                                                                         kernel_shape=[2, 2])],
                             [v('x', [1, 4, 6, 6])], [v('y', [1, 1, 11, 11])],
                             [i('s', 0, 2, -1), i('b', 1, 4, 6, 6), f('o', 2), f('z', 2)]),
        'gelu': onnx_model([n('Div', ['x', 'r'], ['d']), n('Erf', ['d'], ['e']), n('Add', ['e', 'one'], ['a']), n('Mul', ['x', 'a'], ['m']),
                            n('Mul', ['m', 'half'], ['g']), n('ReduceMean', ['g'], ['u'], axes=[-1]), n('Sub', ['g', 'u'], ['c']),
                            n('Pow', ['c', 'two'], ['p']), n('ReduceMean', ['p'], ['w'], axes=[-1]), n('Add', ['w', 'tiny'], ['t']),
                            n('Sqrt', ['t'], ['q']), n('Div', ['c', 'q'], ['y'])], flat, [v('y', [1, 6])],
                           [onnx_tensor(k, [], 1, struct.pack('<f', x)) for k, x in
                            dict(r=2 ** 0.5, one=1, half=0.5, two=2, tiny=1e-5).items()]),
        'old': onnx_model([n('Pad', ['x'], ['p'], pads=[0, 0, 1, 1, 0, 0, 1, 1]), n('Slice', ['p'], ['s'], starts=[1], ends=[9], axes=[2]),
                           n('Softmax', ['s'], ['y'], axis=2)], picture, [v('y', [1, 3, 8, 10])], opset=9),
    }


def hef_edge(name, pad, height, width, features, output=1):
    base = pbs(1, [height]) + pb(2, height) + pb(3, width) + pb(4, -(-width // 8) * 8) + pb(5, features) + pb(6, features) + pb(7, 1) + \
        pb(8, pad) + pb(9, width * features) + pb(10, height) + pb(12, 1) + pb(13, b'')
    numeric = pb(1, 3.0) + pb(2, 0.1) + pb(3, -0.3) + pb(4, 25.2)
    info = pb(1, name) + pb(2, base) + pb(3, numeric) + pb(5, name)
    return pb(1, output) + pb(3, info) + pb(5, pb(3, 0)) + pb(7, pad)


def hef(ops):
    """A version-3 file with one network group of one context, two outputs, and ops that read them; the target itself makes the hash of the
    message fit."""
    layers = [hef_edge('net/in1', 0, 32, 32, 3, 0), hef_edge('net/out1', 1, 4, 4, 64), hef_edge('net/out2', 2, 4, 4, 8)]
    context = pb(1, 0) + pb(3, pb(1, 'context') + pbs(2, layers) + pbs(5, ['net/out1', 'net/out2', 'out']))
    core = pb(1, pb(1, 'net')) + pb(3, context) + pb(6, 'net')
    extensions = pbs(5, [pb(1, 13) + pb(2, 'HAILO_NET_FLOW'), pb(1, 26) + pb(2, 'PERIPH_CALCULATION_IN_HAILORT')])
    edges = pbs(9, [pb(1, 1) + pb(2, 10), pb(1, 2) + pb(2, 11)])
    group = pb(1, pb(1, 'net')) + pb(10, 'net') + pbs(8, [pb(1, 'core') + pb(4, core)] + ops) + edges
    message = pb(1, pb(1, 103) + pb(3, 'seeds') + pb(4, 3)) + pb(2, group) + extensions
    return struct.pack('>III8xQI', 0x01484546, 3, len(message), 0, 0) + bytes(24) + message


def f64(number, value):
    return pb_varint(number << 3 | 1) + struct.pack('<d', value)


def seeds_hef():
    pads = pbs(2, [pb(1, 10) + pb(2, 'boxes'), pb(1, 11) + pb(2, 'scores')])
    out = pb(3, pb(1, 20) + pb(2, 'out'))
    image = f64(1, 32) + f64(2, 32)
    anchors = pbs(2, [10, 16, 33]) + pb(3, pb_varint(13) + pb_varint(30) + pb_varint(23)) + pb(4, 8) + pb(5, 1)
    kinds = {
        'yolo': (7, image + pb(3, 1) + pbs(4, [anchors, anchors])), 'yolox': (8, image + pb(3, pb(1, 8) + pb(2, 1) + pb(3, 2) + pb(4, 2))),
        'ssd': (9, image + pb(3, 10) + pb(4, 5) + pbs(5, [0, 1, 2]) + pb(9, pbs(1, [0.1, 0.2]) + pb(2, struct.pack('<2f', 1, 2)) + pb(3, 1) + pb(4, 2))),
        'iou': (10, b''), 'yolo_seg': (11, image + pb(3, anchors) + pb(4, pb(1, 32) + pb(2, 4)) + f64(5, 0.5)),
        'yolov8': (12, image + pb(4, pb(1, 8) + pb(2, 1) + pb(3, 2)) + pb(5, 16)),
    }
    limits = f64(1, 0.25) + f64(2, 0.45) + pb(3, 100) + pb(4, 80) + pb(6, 0)
    seeds = {k: hef([pb(1, k) + pads + out + pb(5, limits + pb(number, body))]) for k, (number, body) in kinds.items()}
    nms = pb(5, pb(7, kinds['yolo'][1]))
    logits = pb(2, pb(1, 10)) + out + pb(6, pb(1, 1))
    return {**seeds, 'plain': hef([]), 'argmax': hef([pb(1, 'argmax') + pb(2, pb(1, 11)) + out + pb(6, b'')]), 'softmax': hef([logits]),
            'decoding': hef([pb(1, 'boxes') + pads + out + pb(5, limits + pb(13, 1) + pb(12, kinds['yolov8'][1]))]),
            # of the members of a oneof the last one counts
            'logits_then_nms': hef([logits + pb(5, f64(1, 0.5))]), 'logits_then_yolo': hef([logits + nms]),
            'nms_twice': hef([nms + pb(5, pb(12, kinds['yolov8'][1]))]), 'nms_then_empty': hef([nms + pb(5, b'')])}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = os.path.abspath(sys.argv[1])
    for name, make in sorted(globals().items()):
        if name.startswith('seeds_'):
            folder = os.path.join(target, name[6:])
            os.makedirs(folder, exist_ok=True)
            paths = []
            for seed, data in make().items():
                paths.append(os.path.join(folder, seed.replace(' ', '_')))
                with open(paths[-1], 'wb') as f:
                    f.write(data)
            with open(folder + '.list', 'w') as f:  # for libFuzzer's -seed_inputs=@file, which writes nothing back
                f.write(','.join(paths))


main()
