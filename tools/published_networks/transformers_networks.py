"""Networks of Hugging Face's transformers in configurations of a few layers: the classes, what is set, and what they are given."""

import torch

IDS = {"input_ids": ("ids", 2, 7), "attention_mask": ("mask", 2, 7)}
TEXT = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 40}
IMAGE = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
DECODER = {**TEXT, "num_key_value_heads": 2, "use_cache": False}

# The class, its configuration's, what is set, and inputs by their names.
NETWORKS = {
    "bert": ("BertModel", "BertConfig", TEXT, IDS | {"token_type_ids": ("types", 2, 7)}),
    "bert_masked_lm": ("BertForMaskedLM", "BertConfig", TEXT, IDS),
    "bert_classifier": ("BertForSequenceClassification", "BertConfig", TEXT | {"num_labels": 3}, IDS),
    "bert_eager": ("BertModel", "BertConfig", TEXT | {"attn_implementation": "eager"}, IDS),
    "roberta": ("RobertaModel", "RobertaConfig", TEXT, IDS),
    "distilbert": ("DistilBertModel", "DistilBertConfig", {"vocab_size": 97, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 40}, IDS),
    "electra": ("ElectraModel", "ElectraConfig", TEXT | {"embedding_size": 16}, IDS),
    "albert": ("AlbertModel", "AlbertConfig", TEXT | {"embedding_size": 16}, IDS),
    "t5_encoder": ("T5EncoderModel", "T5Config", {"vocab_size": 97, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}, IDS),
    "gpt2": ("GPT2Model", "GPT2Config", {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40, "use_cache": False}, IDS),
    "gpt2_lm": ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40, "use_cache": False}, {"input_ids": ("ids", 2, 7)}),
    "llama": ("LlamaModel", "LlamaConfig", DECODER, IDS),
    "llama_lm": ("LlamaForCausalLM", "LlamaConfig", DECODER, {"input_ids": ("ids", 2, 7)}),
    "mistral": ("MistralModel", "MistralConfig", DECODER | {"sliding_window": 4}, IDS),
    "qwen2": ("Qwen2Model", "Qwen2Config", DECODER, IDS),
    "vit": ("ViTModel", "ViTConfig", IMAGE, {"pixel_values": ("image", 2, 3, 32, 32)}),
    "vit_classifier": ("ViTForImageClassification", "ViTConfig", IMAGE, {"pixel_values": ("image", 2, 3, 32, 32)}),
    "deit": ("DeiTModel", "DeiTConfig", IMAGE, {"pixel_values": ("image", 2, 3, 32, 32)}),
    "swin": ("SwinModel", "SwinConfig", {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}, {"pixel_values": ("image", 2, 3, 32, 32)}),
    "convnext": ("ConvNextModel", "ConvNextConfig", {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}, {"pixel_values": ("image", 2, 3, 64, 64)}),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", {
        "vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "conv_dim": [16, 16, 16], "conv_stride": [5, 2, 2], "conv_kernel": [10, 3, 2],
        "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    }, {"input_values": ("image", 2, 800)}),
    "whisper_encoder": ("WhisperModel.encoder", "WhisperConfig", {
        "vocab_size": 97, "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48,
        "num_mel_bins": 12, "max_source_positions": 20, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
    }, {"input_features": ("image", 2, 12, 40)}),
    "clip_text": ("CLIPTextModel", "CLIPTextConfig", TEXT | {"eos_token_id": 96, "bos_token_id": 95, "pad_token_id": 94}, IDS),
    "clip_vision": ("CLIPVisionModel", "CLIPVisionConfig", IMAGE, {"pixel_values": ("image", 2, 3, 32, 32)}),
    "clip": ("CLIPModel", "CLIPConfig", {"text_config": TEXT | {"eos_token_id": 96, "bos_token_id": 95, "pad_token_id": 94}, "vision_config": IMAGE, "projection_dim": 24},
             IDS | {"pixel_values": ("image", 2, 3, 32, 32)}),
}  # fmt: skip


def tensor(kind, *shape):
    """Random, of the kind; a mask hides the end of the later rows."""
    if kind == "ids":
        return torch.randint(3, 94, shape)
    if kind == "types":
        return torch.randint(0, 2, shape)
    if kind == "mask":
        lengths = shape[1] - 2 * torch.arange(shape[0]) % shape[1]
        return (torch.arange(shape[1]) < lengths[:, None]).long()
    return torch.randn(shape)


def build(name):
    import transformers

    class_name, config_name, settings, inputs = NETWORKS[name]
    class_name, _, part = class_name.partition(".")
    config = getattr(transformers, config_name)(**settings)
    module = getattr(transformers, class_name)(config)
    return getattr(module, part) if part else module, (), {key: tensor(*shape) for key, shape in inputs.items()}
