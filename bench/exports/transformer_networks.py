"""Architectures of the transformers library with two small layers each: encoders, decoders without a cache, pictures, sound."""
import torch
from torch import nn

TEXT = {"vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96,
        "max_position_embeddings": 64}
GPT = {"vocab_size": 64, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64}
DECODER = {**TEXT, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {**DECODER, "num_key_value_heads": 2}
PICTURE = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "image_size": 64, "patch_size": 16}
STAGES = {"image_size": 64, "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "num_labels": 10}
SOUND = {"vocab_size": 32, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "conv_dim": (32, 32),
         "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16,
         "num_conv_pos_embedding_groups": 4}
SEQUENCE = {"vocab_size": 64, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
            "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_position_embeddings": 64, "pad_token_id": 0, "decoder_start_token_id": 1}


def tokens():
    return torch.randint(3, 60, (1, 16))


def text():
    return {"input_ids": tokens(), "attention_mask": torch.ones(1, 16, dtype=torch.int64)}


def tokens_only():
    return {"input_ids": tokens()}


def picture(size=64):
    return {"pixel_values": torch.randn(1, 3, size, size)}


def samples():
    return {"input_values": torch.randn(1, 1600)}


def both():
    return {"input_ids": tokens(), "decoder_input_ids": tokens()}


def spectrum():
    return {"input_values": torch.randn(1, 64, 32)}


# name: configuration, model, settings, inputs
NETWORKS = {
    "bert": ("BertConfig", "BertModel", TEXT, text),
    "roberta": ("RobertaConfig", "RobertaModel", TEXT, text),
    "xlm_roberta": ("XLMRobertaConfig", "XLMRobertaModel", TEXT, text),
    "distilbert": ("DistilBertConfig", "DistilBertModel", {"vocab_size": 64, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 96}, text),
    "albert": ("AlbertConfig", "AlbertModel", {**TEXT, "embedding_size": 32}, text),
    "electra": ("ElectraConfig", "ElectraModel", {**TEXT, "embedding_size": 32}, text),
    "deberta_v2": ("DebertaV2Config", "DebertaV2Model", {**TEXT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"],
                                                         "position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True}, text),
    "mobilebert": ("MobileBertConfig", "MobileBertModel", {**TEXT, "embedding_size": 32, "intra_bottleneck_size": 32}, text),
    "squeezebert": ("SqueezeBertConfig", "SqueezeBertModel", {**TEXT, "embedding_size": 64}, text),
    "mpnet": ("MPNetConfig", "MPNetModel", TEXT, text),
    "modernbert": ("ModernBertConfig", "ModernBertModel", {**TEXT, "pad_token_id": 0, "local_attention": 8}, text),
    "fnet": ("FNetConfig", "FNetModel", {k: v for k, v in TEXT.items() if k != "num_attention_heads"}, tokens_only),
    "roformer": ("RoFormerConfig", "RoFormerModel", {**TEXT, "embedding_size": 64}, text),
    "convbert": ("ConvBertConfig", "ConvBertModel", {**TEXT, "embedding_size": 64}, text),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", GPT, tokens_only),
    "gptj": ("GPTJConfig", "GPTJForCausalLM", {**GPT, "rotary_dim": 8}, tokens_only),
    "gpt_neox": ("GPTNeoXConfig", "GPTNeoXForCausalLM", DECODER, tokens_only),
    "opt": ("OPTConfig", "OPTForCausalLM", {**DECODER, "ffn_dim": 96, "word_embed_proj_dim": 64}, tokens_only),
    "bloom": ("BloomConfig", "BloomForCausalLM", {"vocab_size": 64, "hidden_size": 64, "n_layer": 2, "n_head": 4}, tokens_only),
    "falcon": ("FalconConfig", "FalconForCausalLM", {**DECODER, "multi_query": True}, tokens_only),
    "llama": ("LlamaConfig", "LlamaForCausalLM", GROUPED, tokens_only),
    "mistral": ("MistralConfig", "MistralForCausalLM", {**GROUPED, "sliding_window": 8}, tokens_only),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", GROUPED, tokens_only),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {**GROUPED, "head_dim": 16}, tokens_only),
    "gemma": ("GemmaConfig", "GemmaForCausalLM", {**GROUPED, "head_dim": 16}, tokens_only),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM", {**GROUPED, "head_dim": 16, "sliding_window": 8}, tokens_only),
    "gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM", {**GROUPED, "head_dim": 16, "sliding_window": 8}, tokens_only),
    "phi": ("PhiConfig", "PhiForCausalLM", DECODER, tokens_only),
    "phi3": ("Phi3Config", "Phi3ForCausalLM", GROUPED, tokens_only),
    "stablelm": ("StableLmConfig", "StableLmForCausalLM", {**DECODER, "num_key_value_heads": 4}, tokens_only),
    "starcoder2": ("Starcoder2Config", "Starcoder2ForCausalLM", GROUPED, tokens_only),
    "olmo2": ("Olmo2Config", "Olmo2ForCausalLM", {**DECODER, "num_key_value_heads": 4}, tokens_only),
    "mamba": ("MambaConfig", "MambaForCausalLM", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, tokens_only),
    "t5": ("T5Config", "T5ForConditionalGeneration", {"vocab_size": 64, "d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_heads": 4,
                                                      "decoder_start_token_id": 0}, both),
    "bart": ("BartConfig", "BartForConditionalGeneration", SEQUENCE, both),
    "marian": ("MarianConfig", "MarianMTModel", SEQUENCE, both),
    "vit": ("ViTConfig", "ViTForImageClassification", PICTURE, picture),
    "deit": ("DeiTConfig", "DeiTForImageClassification", PICTURE, picture),
    "beit": ("BeitConfig", "BeitForImageClassification", PICTURE, picture),
    "dinov2": ("Dinov2Config", "Dinov2ForImageClassification", PICTURE, picture),
    "swin": ("SwinConfig", "SwinForImageClassification", STAGES, picture),
    "swinv2": ("Swinv2Config", "Swinv2ForImageClassification", STAGES, picture),
    "convnext": ("ConvNextConfig", "ConvNextForImageClassification", {"hidden_sizes": [32, 64], "depths": [1, 1], "num_stages": 2}, picture),
    "segformer": ("SegformerConfig", "SegformerForSemanticSegmentation", {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1],
                                                                          "decoder_hidden_size": 32}, picture),
    "yolos": ("YolosConfig", "YolosForObjectDetection", {**PICTURE, "image_size": [64, 64], "num_detection_tokens": 10}, picture),
    "siglip": ("SiglipVisionConfig", "SiglipVisionModel", PICTURE, picture),
    "clip": ("CLIPVisionConfig", "CLIPVisionModel", PICTURE, picture),
    "wav2vec2": ("Wav2Vec2Config", "Wav2Vec2ForCTC", SOUND, samples),
    "hubert": ("HubertConfig", "HubertModel", SOUND, samples),
    "ast": ("ASTConfig", "ASTForAudioClassification", {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                                                       "intermediate_size": 96, "max_length": 64, "num_mel_bins": 32}, spectrum),
}


class Named(nn.Module):
    """Inputs by name, without a cache; every tensor of the answer."""

    def __init__(self, network, names, more):
        super().__init__()
        self.network, self.names, self.more = network, names, more

    def forward(self, *inputs):
        answer = self.network(**dict(zip(self.names, inputs)), **self.more)
        return tuple(v for v in answer.to_tuple() if torch.is_tensor(v))


def names():
    return list(NETWORKS)


def build(name):
    """The network, its inputs, their names."""
    import transformers
    configuration, model, settings, make = NETWORKS[name]
    inputs = make()
    more = {"use_cache": False} if "input_ids" in inputs and model.endswith(("LM", "LMHeadModel", "Generation", "MTModel")) else {}
    network = getattr(transformers, model)(getattr(transformers, configuration)(**settings)).eval()
    return Named(network, list(inputs), more), tuple(inputs.values()), list(inputs)
