curl -X POST https://conto.finance/api/sdk/x402/record \
  -H "Authorization: Bearer $CONTO_SDK_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "batch": [
      { "amount": 0.01, "recipientAddress": "0x...", "transactionHash": "0x1...", "resourceUrl": "https://api.example.com/v1", "serviceDomain": "api.example.com" },
      { "amount": 0.02, "recipientAddress": "0x...", "transactionHash": "0x2...", "resourceUrl": "https://api.example.com/v2", "serviceDomain": "api.example.com" }
    ]
  }'
