"""Fine-tuning: adapters, adapters beside 4-bit weights, or every weight; here or in a job on a cluster."""
