curl -X POST https://conto.finance/api/sdk/budget-request \
  -H "Authorization: Bearer $CONTO_SDK_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "amount": 50,
    "purpose": "API calls for the research task",
    "category": "API_PROVIDER",
    "metadata": { "task": "research" }
  }'
